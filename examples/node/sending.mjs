// What comes after campaign.mjs: send a campaign that is ready, say what became of its messages, call it off.
//
//   node examples/node/sending.mjs send     redis://... CAMPAIGN CHANNEL https://api-of-the-provider < recipients
//   node examples/node/sending.mjs statuses redis://... CHANNEL < statuses
//   node examples/node/sending.mjs cancel   redis://... CAMPAIGN
//
// Recipients are lines of JSON, {"to", "ref", "kind"}; statuses are what a webhook has in
// entry[].changes[].value.statuses. The API key is in D360_API_KEY.

import { text } from "node:stream/consumers";
import { Greenroom, TaskFailed } from "./greenroom.mjs";

const REFS_A_MESSAGE = 1000;

/** Send each recipient the file that was got ready, and report which media IDs were used, or refused. */
async function send(greenroom, campaign, channel, api) {
  const recipients = (await text(process.stdin)).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const used = [];
  const refused = [];
  for (let first = 0; first < recipients.length; first += REFS_A_MESSAGE) {
    const part = recipients.slice(first, first + REFS_A_MESSAGE);
    // Right before they are sent, for a media ID may have been renewed.
    const media_ids = await greenroom.call("media.resolve", [campaign, part.map(({ ref }) => ref)]);
    for (const { to, ref, kind } of part) {
      const id = media_ids[ref];
      if (id === undefined) {
        console.log(JSON.stringify({ to, problem: `${ref} is not ready` }));
        continue;
      }
      const message = {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to,
        type: kind,
        [kind]: { id },
        // A webhook that tells of a failure gives this back.
        biz_opaque_callback_data: id,
      };
      const answer = await fetch(`${api}/messages`, {
        method: "POST",
        headers: { "D360-API-KEY": process.env.D360_API_KEY, "Content-Type": "application/json" },
        body: JSON.stringify(message),
      });
      const found = await answer.json();
      const now = new Date().toISOString();
      if (answer.ok) used.push([channel, id, now]);
      else refused.push([channel, id, now, [found.error]]);
      console.log(JSON.stringify({ to, ...(answer.ok ? { message: found.messages[0].id } : { problem: found.error.message }) }));
    }
  }
  if (used.length) await greenroom.send("media.mark_used", [used], { summary: `${used.length} uses` });
  if (refused.length) await greenroom.send("media.report_error", [refused], { summary: `${refused.length} failed messages` });
}

/** Report messages that failed later: a dead media ID is replaced, a file that cannot be sent given up. */
async function takeStatuses(greenroom, channel) {
  const failed = JSON.parse(await text(process.stdin)).filter(({ status }) => status === "failed");
  const rows = failed.map(({ biz_opaque_callback_data: id, timestamp, errors }) => [
    channel,
    id ?? null,
    new Date(Number(timestamp) * 1000).toISOString(),
    errors,
  ]);
  if (rows.length) await greenroom.send("media.report_error", [rows], { summary: `${rows.length} failed messages` });
  console.log(JSON.stringify({ reported: rows.length }));
}

/** Call a campaign off: what only it needed is not uploaded any more, and deleted at the provider. */
async function cancel(greenroom, campaign) {
  await greenroom.call("media.cancel", [campaign], { summary: `campaign ${campaign}` });
  const { state } = await greenroom.call("media.status", [campaign]);
  console.log(JSON.stringify({ campaign, state }));
}

const [command, address, ...words] = process.argv.slice(2);
const greenroom = await Greenroom.connect(address);
try {
  await { send, statuses: takeStatuses, cancel }[command](greenroom, ...words);
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.error(`${error.type}: ${error.message}${error.again ? " Ask again later." : ""}`);
  process.exitCode = 2;
} finally {
  greenroom.close();
}
