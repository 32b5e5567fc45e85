// Get a campaign's files ready from Node.js, and print what came of each as a line of JSON:
//
//   node examples/node/campaign.mjs redis://localhost:6379/0 spring-sale 4915112345678 /media/hero.jpg ...
//
// The channel is known (greenroom channel add), and the workers may open the files.

import { Greenroom, TaskFailed } from "./greenroom.mjs";

const [address, id, channel, ...files] = process.argv.slice(2);
const DAY = 24 * 3600 * 1000;
const sendAt = new Date(Date.now() + DAY);
const plan = {
  id,
  channel,
  send_at: sendAt.toISOString(),
  keep_until: new Date(sendAt.getTime() + 14 * DAY).toISOString(),
};
const greenroom = await Greenroom.connect(address);

/** All pages of a task that answers by pages. */
async function* pages(task) {
  for (let after = ""; after !== null; ) {
    const page = await greenroom.call(task, [id, after]);
    yield page;
    after = page.after;
  }
}

try {
  const items = files.map((source) => ({ ref: source, source }));
  // Beforehand: each file counts as an upload.
  const forecast = await greenroom.call("media.estimate", [plan, items.length]);
  console.error(`${forecast.left} uploads, ready at ${forecast.ready_at}. ${forecast.what_helps.join(" ")}`);
  // Up to 10,000 items in one message; more are several messages.
  await greenroom.call("media.prepare", [plan, items], { summary: `campaign ${id}: ${items.length} items` });
  let status = await greenroom.call("media.status", [id]);
  while (!status.is_settled) {
    console.error(`${status.ready} of ${status.total} ready ${status.paused_reason || status.hindrance}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    status = await greenroom.call("media.status", [id]);
  }
  for await (const { media_ids } of pages("media.media_ids")) {
    for (const [ref, media_id] of Object.entries(media_ids)) console.log(JSON.stringify({ ref, media_id }));
  }
  for await (const { items: rejected } of pages("media.rejected")) {
    for (const { ref, reason, detail, advice } of rejected) console.log(JSON.stringify({ ref, reason, detail, advice }));
  }
  process.exitCode = status.is_ready ? 0 : 1;
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.error(`${error.type}: ${error.message}${error.again ? " Ask again later." : ""}`);
  process.exitCode = 2;
} finally {
  greenroom.close();
}
