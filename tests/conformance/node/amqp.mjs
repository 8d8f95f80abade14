// A partner's system with amqplib: sends what it is told to and reads its own queues.
// node amqp.mjs URL USER EXCHANGE ANSWERS QUEUE COUNT, and on standard input one message a line:
// {"id", "type", "body"}. One line of JSON for each answer and for each of COUNT deliveries.
import { createInterface } from "node:readline";
import amqp from "amqplib";

const [url, user, exchange, answers, queue, count] = process.argv.slice(2);
const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
let waiting = Number(count);
const say = (kind) => (one) => {
  const { messageId, correlationId, contentType, headers } = one.properties;
  console.log(JSON.stringify({
    kind, id: messageId, answers: correlationId ?? null, type: contentType, headers,
    body: one.content.toString("utf8"),
  }));
  channel.ack(one);
  waiting -= 1;
  if (waiting === 0) setTimeout(() => connection.close(), 100);
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, type, body } = JSON.parse(line);
  waiting += 1;
  await new Promise((done, failed) => channel.publish(
    exchange, "", Buffer.from(body, "utf8"),
    { messageId: id, contentType: type, userId: user, persistent: true, mandatory: true },
    (error) => (error === null ? done() : failed(error)),
  ));
}
await channel.consume(answers, say("answer"));
await channel.consume(queue, say("delivery"));
