// From a queue to an inbox as a team would write it in an afternoon: parse, check the schema, write XML, POST,
// acknowledge. Nothing is kept; the broker has the message until the inbox has answered.
//
// With --postgres the message is committed before it is acknowledged, and the inbox's receipt after it came: a
// transaction for each, over a pool of connections.
//
//   node pipeline.js --amqp URI --queue NAME --inbox HOST:PORT --schemas FOLDER --connections N [--postgres URL]
//
// Ends with its standard input, or with SIGTERM. The first thing that fails ends it as well.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import amqplib from 'amqplib';
import { XMLBuilder } from 'fast-xml-parser';
import pg from 'pg';
import { Pool } from 'undici';

// Deliveries ahead of the acknowledgement, and connections to PostgreSQL.
const PREFETCH = 256;
const DATABASE_CONNECTIONS = 16;

const string = { type: 'string' };
const { values: args } = parseArgs({
  options: { amqp: string, queue: string, inbox: string, schemas: string, connections: string, postgres: string },
});

process.stdin.resume().on('end', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
process.on('unhandledRejection', (reason) => {
  console.error(reason);
  process.exit(1);
});

// `recommendation.v1.json` describes the data of `<the schemas' prefix>.recommendation.v1`.
const ajv = addFormats(new Ajv2020({ strict: false }));
const validators = new Map();
for (const file of readdirSync(args.schemas)) {
  if (!/^[a-z_]+\.v\d+\.json$/.test(file)) continue;
  const schema = JSON.parse(readFileSync(join(args.schemas, file), 'utf8'));
  validators.set(file.slice(0, -'.json'.length), ajv.compile(schema));
}
const validator = (type) => validators.get(type.split('.').slice(-2).join('.'));

const xml = new XMLBuilder({ ignoreAttributes: true });
const inbox = new Pool(`http://${args.inbox}`, { connections: Number(args.connections), pipelining: 1 });
const store = args.postgres && (await openStore(args.postgres));
const connection = await amqplib.connect(args.amqp);
const channel = await connection.createChannel();
await channel.prefetch(PREFETCH);
await channel.consume(args.queue, handle);

async function handle(delivery) {
  if (!delivery) throw new Error('the broker ended it');
  const event = JSON.parse(delivery.content);
  const fits = validator(event.type);
  if (!fits?.(event.data)) throw new Error(`a message of type ${event.type} does not fit its schema`);
  const body = `<?xml version="1.0" encoding="UTF-8"?>${xml.build({ message: event })}`;
  if (!store) {
    await post(event, body);
    channel.ack(delivery);
    return;
  }
  const number = await store.keep(event.id, delivery.content);
  channel.ack(delivery);
  if (number === undefined) return;
  await store.receipt(number, await post(event, body));
}

// The inbox's receipt.
async function post(event, body) {
  const headers = { 'content-type': 'application/xml', 'idempotency-key': event.id };
  if (event.traceparent) headers.traceparent = event.traceparent;
  const answer = await inbox.request({ path: '/inbox', method: 'POST', headers, body });
  const receipt = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`the inbox answered ${answer.statusCode}`);
  return receipt;
}

async function openStore(url) {
  const pool = new pg.Pool({ connectionString: url, max: DATABASE_CONNECTIONS });
  await pool.query(`
    CREATE TABLE message (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE,
      received timestamptz NOT NULL DEFAULT now(), raw bytea NOT NULL);
    CREATE TABLE receipt (number bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), body text NOT NULL)`);
  return {
    // Its number; none where it is here already.
    async keep(id, raw) {
      const text = 'INSERT INTO message (id, raw) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING number';
      return (await pool.query({ name: 'keep', text, values: [id, raw] })).rows[0]?.number;
    },
    async receipt(number, body) {
      const text = 'INSERT INTO receipt (number, body) VALUES ($1, $2)';
      await pool.query({ name: 'receipt', text, values: [number, body] });
    },
  };
}
