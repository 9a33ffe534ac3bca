// SPDX-License-Identifier: Apache-2.0
// What a program with mqtt.js does, and what it saw of it, as one line of JSON: node mqttjs_client.js URL VERSION NAME
const mqtt = require('mqtt');
const [url, version, name] = process.argv.slice(2);
const seen = { versions: +version, messages: [], wills: [], retained: [], large: 0, properties: null, shared: 0 };
const how = {
  protocolVersion: +version, protocolId: +version === 3 ? 'MQIsdp' : 'MQTT', rejectUnauthorized: false, reconnectPeriod: 0, clean: true, connectTimeout: 60000,
};
const connect = (id, more) => new Promise((done, failed) => {
  const c = mqtt.connect(url, { ...how, clientId: `${name}-${id}`, ...more });
  c.once('connect', () => done(c));
  c.once('error', failed);
  c.once('close', () => failed(new Error('closed')));
});
const subscribe = (c, topics, qos) => new Promise((done, failed) =>
  c.subscribe(topics, { qos }, (e, granted) => e ? failed(e) : done(granted)));
const publish = (c, topic, payload, more) => new Promise((done, failed) =>
  c.publish(topic, payload, more, (e) => e ? failed(e) : done()));
const until = async (what) => {
  for (let i = 0; i < 6000 && !what(); i++) await new Promise((r) => setTimeout(r, 10));
};

async function main() {
  const sub = await connect('sub');
  const pub = await connect('pub');
  const big = Buffer.alloc(300000, 'weir');
  sub.on('message', (topic, payload, packet) => {
    const short = topic.slice(name.length + 1);
    if (short === 'large') seen.large = payload.equals(big) ? payload.length : -1;
    else if (short === 'will') seen.wills.push(payload.toString());
    else if (short.startsWith('kept')) seen.retained.push([payload.toString(), packet.retain]);
    else if (short.startsWith('shared')) seen.shared++;
    else seen.messages.push([short, payload.toString(), packet.qos]);
    if (packet.properties && packet.properties.userProperties) seen.properties = packet.properties;
  });
  await publish(pub, `${name}/kept`, 'stays', { qos: 1, retain: true });
  await subscribe(sub, `${name}/#`, 2);
  for (const qos of [0, 1, 2])
    for (let i = 0; i < 20; i++) await publish(pub, `${name}/q`, `${qos}:${i}`, { qos });
  await publish(pub, `${name}/large`, big, { qos: 1 });
  if (+version === 5) {
    const group = await connect('group');
    group.on('message', () => seen.shared++);
    await subscribe(group, `$share/g/${name}/job/+`, 1);
    for (let i = 0; i < 5; i++) await publish(pub, `${name}/job/${i}`, '', { qos: 1 });
    await publish(pub, `${name}/p`, 'x', { qos: 1, properties: {
      userProperties: { unit: 'C' }, responseTopic: `${name}/answer`, correlationData: Buffer.from('7') } });
    await until(() => seen.shared === 5);
    group.end(true);
  }
  const gone = await connect('gone', { will: { topic: `${name}/will`, payload: 'lost', qos: 1, retain: false } });
  gone.stream.destroy();
  await until(() => seen.wills.length === 1 && seen.messages.length >= 60 && seen.large);
  await publish(pub, `${name}/kept`, '', { qos: 1, retain: true });
  await new Promise((r) => pub.end(false, {}, r));
  await new Promise((r) => sub.end(false, {}, r));
  process.stdout.write(JSON.stringify(seen) + '\n', () => process.exit(0));
}
main().catch((e) => { console.error(e); process.exit(1); });
