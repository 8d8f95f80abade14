// HL7 v2 over MLLP by other people's programs:
//   node peers.mjs send PORT FILE   sends the message in FILE with each client, and says what it
//                                   was answered, a line of JSON each
//   node peers.mjs serve            starts each server, says where, and every message that came;
//                                   ends with its standard input
import { Hl7Message } from '@medplum/core';
import { Hl7Client, Hl7Server } from '@medplum/hl7';
import { readFileSync } from 'node:fs';
import { Client } from 'node-hl7-client';
import { Server } from 'node-hl7-server';

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const told = (peer, msa) => say({ peer, code: msa[0], about: msa[1] });
const free = 40000 + (process.pid % 10000) * 2;

async function medplumSends(port, text) {
  const client = new Hl7Client({ host: '127.0.0.1', port });
  const answer = await client.sendAndWait(Hl7Message.parse(text));
  const msa = answer.getSegment('MSA');
  told('@medplum/hl7', [msa.getComponent(1, 1), msa.getComponent(2, 1)]);
  await client.close();
}

async function nodeHl7Sends(port, text) {
  const client = new Client({ host: '127.0.0.1' });
  await new Promise((done, failed) => {
    const out = client.createConnection({ port }, async (answer) => {
      const said = answer.getMessage();
      told('node-hl7-client', [said.get('MSA.1').toString(), said.get('MSA.2').toString()]);
      await out.close();
      done();
    });
    out.on('error', failed);
    out.on('client.error', failed);
    out.sendMessage({ toString: () => text }).catch(failed);
  });
}

if (process.argv[2] === 'send') {
  const [port, file] = [Number(process.argv[3]), process.argv[4]];
  const text = readFileSync(file, 'utf8');
  await medplumSends(port, text);
  await nodeHl7Sends(port, text);
  process.exit(0);
}

const medplum = new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => {
    say({ peer: '@medplum/hl7', id: message.getSegment('MSH').getField(10).toString() });
    connection.send(message.buildAck());
  });
});
medplum.start(free);
const nodeHl7 = new Server().createInbound({ port: free + 1 }, async (request, response) => {
  say({ peer: 'node-hl7-server', id: request.getMessage().get('MSH.10').toString() });
  await response.sendResponse('AA');
});
nodeHl7.on('listen', () => say({ '@medplum/hl7': free, 'node-hl7-server': free + 1 }));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
