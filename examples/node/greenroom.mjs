// Greenroom's tasks from Node.js, with nothing but Node.js: messages as Celery has them (protocol 2), over Redis.
// The contract is docs/reference/tasks.md; what each task takes and answers is in messages.schema.json.

import { randomUUID } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

/** The contract's version that this file keeps to. */
const CONTRACT = 1;
/** What may succeed when it is asked for again. */
const AGAIN = new Set(["DatabaseUnavailable", "TransientError", "BrokerUnavailable"]);

/** A task failed: `type` is the error's name, `again` whether asking again may help. */
export class TaskFailed extends Error {
  constructor(type, text) {
    super(text);
    this.name = "TaskFailed";
    this.type = type;
    this.again = AGAIN.has(type);
  }
}

/** Sends tasks, and waits for their answers. */
export class Greenroom {
  /** @param {string} address like redis://:password@localhost:6379/0, or rediss:// */
  static async connect(address) {
    const url = new URL(address);
    const redis = await Redis.connect(url);
    if (url.password) {
      const user = url.username ? [decodeURIComponent(url.username)] : [];
      await redis.send("AUTH", ...user, decodeURIComponent(url.password));
    }
    await redis.send("SELECT", url.pathname.slice(1) || "0");
    return new Greenroom(redis);
  }

  constructor(redis) {
    this.redis = redis;
  }

  /** Enqueue a task; `args` are its arguments in their order. Returns its ID. */
  async send(task, args, { queue = "control", summary = "" } = {}) {
    const id = randomUUID();
    // Arguments by place, arguments by name, and what Celery embeds: {} where there is nothing, never null.
    const body = JSON.stringify([args, {}, {}]);
    const message = {
      body: Buffer.from(body).toString("base64"),
      "content-encoding": "utf-8",
      "content-type": "application/json",
      headers: { lang: "js", task, id, retries: 0, argsrepr: summary, ignore_result: false, greenroom_contract: CONTRACT },
      properties: {
        correlation_id: id,
        delivery_mode: 2,
        delivery_tag: randomUUID(),
        delivery_info: { exchange: "", routing_key: queue },
        body_encoding: "base64",
        priority: 0,
      },
    };
    await this.redis.send("LPUSH", queue, JSON.stringify(message));
    return id;
  }

  /** Enqueue a task, and wait for its answer. Throws TaskFailed. */
  async call(task, args, { timeout = 30_000, summary = "" } = {}) {
    const key = `celery-task-meta-${await this.send(task, args, { summary })}`;
    const end = Date.now() + timeout;
    for (let pause = 10; Date.now() < end; pause = Math.min(2 * pause, 500)) {
      const text = await this.redis.send("GET", key);
      const record = text === null ? { status: "PENDING" } : JSON.parse(text);
      if (record.status === "SUCCESS" || record.status === "FAILURE") {
        await this.redis.send("DEL", key);
        if (record.status === "SUCCESS") return record.result;
        throw new TaskFailed(record.result.exc_type, record.result.exc_message.join(" "));
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    throw new TaskFailed("BrokerUnavailable", `No worker answered ${task} within ${timeout} ms.`);
  }

  close() {
    this.redis.close();
  }
}

/** As much of Redis's protocol (RESP2) as the above needs. */
class Redis {
  static connect(url) {
    const options = { host: url.hostname, port: Number(url.port || 6379) };
    return new Promise((resolve, reject) => {
      const secure = url.protocol === "rediss:";
      const socket = secure ? tls.connect({ ...options, servername: url.hostname }) : net.connect(options);
      socket.once("error", reject);
      socket.once(secure ? "secureConnect" : "connect", () => {
        socket.off("error", reject);
        resolve(new Redis(socket));
      });
    });
  }

  constructor(socket) {
    this.socket = socket;
    this.buffer = Buffer.alloc(0);
    this.waiting = [];
    socket.on("data", (data) => {
      this.buffer = Buffer.concat([this.buffer, data]);
      while (this.readReply());
    });
    const lost = (error) => {
      for (const { reject } of this.waiting.splice(0)) reject(error ?? new Error("Redis closed the connection."));
    };
    socket.on("error", lost);
    socket.on("close", () => lost());
  }

  send(...words) {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  /** Read one reply, if it is there as a whole: a line, or a text of a length that a line says. */
  readReply() {
    const end = this.buffer.indexOf("\r\n");
    if (end < 0) return false;
    const [kind, line] = [String.fromCharCode(this.buffer[0]), this.buffer.toString("utf8", 1, end)];
    let value = line;
    let next = end + 2;
    if (kind === "$" && line !== "-1") {
      next += Number(line) + 2;
      if (this.buffer.length < next) return false;
      value = this.buffer.toString("utf8", end + 2, next - 2);
    } else if (kind === "$") {
      value = null;
    }
    this.buffer = this.buffer.subarray(next);
    const { resolve, reject } = this.waiting.shift();
    if (kind === "-") reject(new Error(`Redis refused: ${line}`));
    else resolve(value);
    return true;
  }

  close() {
    this.socket.end();
  }
}
