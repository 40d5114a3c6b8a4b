// A program that drives Mem0's own npm client: node npm_client.cjs URL KEY
'use strict';
const assert = require('node:assert/strict');
const { MemoryClient, MemoryNotFoundError, ValidationError } = require('mem0ai');

const [url, key] = process.argv.slice(2);
const user = 'ana npm/1';
const memories = (found) => found.results.map((one) => one.memory);

async function event(id) {
  for (let tries = 0; tries < 2000; tries++) {
    const answer = await fetch(`${url}/v1/event/${id}/`, { headers: { Authorization: `Token ${key}` } });
    const found = await answer.json();
    if (found.status === 'SUCCEEDED' || found.status === 'FAILED') return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`event ${id} does not end`);
}

async function main() {
  const client = new MemoryClient({ apiKey: key, host: url });
  await client.ping();
  assert.deepEqual([client.organizationId, client.projectId], ['memoranda', 'default']);

  const told = [{ role: 'user', content: 'home.city = Lisbon' }];
  const queued = await client.add(told, { userId: user, runId: 's1', metadata: { team: 'sales' } });
  assert.equal(queued.status, 'PENDING');
  const done = await event(queued.eventId);
  assert.deepEqual(done.results.map((one) => one.data.memory), ['home.city is Lisbon']);
  const stored = await client.add([{ role: 'user', content: 'Likes green tea' }], { userId: user, infer: false });
  const tea = stored.results[0].id;
  await client.add([{ role: 'user', content: 'Plays the cello' }], { userId: user, infer: false });

  const found = await client.search('Which tea?', { filters: { user_id: user }, topK: 2 });
  assert.equal(memories(found)[0], 'Likes green tea');
  assert.ok(found.results[0].score > 0);
  const narrowed = { AND: [{ user_id: user }, { metadata: { team: 'sales' } }] };
  assert.deepEqual(memories(await client.search('tea', { filters: narrowed })), ['home.city is Lisbon']);
  const pages = [];
  for (const page of [1, 2]) pages.push(await client.getAll({ filters: { user_id: user }, page, pageSize: 2 }));
  assert.deepEqual(pages.map((page) => [page.count, page.results.length]), [[3, 2], [3, 1]]);
  assert.equal((await client.get(tea)).userId, user);

  const updated = await client.update(tea, { text: 'Likes black tea', expirationDate: '2099-12-31' });
  assert.deepEqual([updated.memory, updated.expirationDate], ['Likes black tea', '2099-12-31']);
  const past = await client.history(tea);
  assert.deepEqual(past.map((one) => [one.event, one.newMemory]), [
    ['ADD', 'Likes green tea'],
    ['UPDATE', 'Likes black tea'],
  ]);
  assert.equal((await client.feedback({ memoryId: tea, feedback: 'POSITIVE', feedbackReason: 'yes' })).feedback, 'POSITIVE');
  await client.batchUpdate([{ memoryId: tea, text: 'Likes white tea' }]);
  assert.equal((await client.get(tea)).memory, 'Likes white tea');
  const listed = await client.users({ page: 1, pageSize: 100 });
  assert.deepEqual(listed.results.filter((one) => one.name === user).map((one) => one.totalMemories), [3]);

  const schema = { type: 'object', properties: { city: { type: 'string' } } };
  const made = await client.createMemoryExport({ schema, filters: { AND: [{ user_id: user }] } });
  assert.deepEqual(await client.getMemoryExport({ memoryExportId: made.id }), { city: 'Lisbon' });
  assert.equal((await client.getProfile({ entityId: user })).status, 'succeeded');
  const job = await client.generateProfile({ entityId: user });
  assert.equal((await client.getProfileJob(job.statusUrl)).job.status, 'succeeded');
  assert.equal((await client.getProject({ fields: ['custom_instructions'] })).customInstructions, null);

  await assert.rejects(client.get('01a2022b-b2d4-7dac-82a7-549a26906482'), MemoryNotFoundError);
  await assert.rejects(client.deleteAll(), ValidationError);
  await assert.rejects(client.deleteAll({ userId: '*' }), ValidationError);
  await assert.rejects(client.deleteAll({ filters: { user_id: user } }), ValidationError);
  await assert.rejects(client.search('x', { filters: { color: 'red' } }), ValidationError);
  await assert.rejects(client.getWebhooks(), /webhooks/);

  await client.delete(tea, { deleteLinked: true });
  await assert.rejects(client.get(tea), MemoryNotFoundError);
  const rest = await client.getAll({ filters: { user_id: user } });
  await client.batchDelete([rest.results[0].id]);
  await client.add([{ role: 'user', content: 'Is here again' }], { userId: user, infer: false });
  const gone = await client.deleteAll({ userId: user });
  assert.equal((await event(gone.eventId)).status, 'SUCCEEDED');
  await client.add([{ role: 'user', content: 'Is here once more' }], { userId: user, infer: false });
  await client.deleteUsers({ userId: user });
  assert.equal((await client.getAll({ filters: { user_id: user } })).count, 0);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
