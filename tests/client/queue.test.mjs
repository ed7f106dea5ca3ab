/** Who waits for which proof: sharing, turns, calling off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "../../src/stepup/web/static/pure.js";

const about = (id) => ({ code: "verification_required", action: id, offer: `offer of ${id}`, authorization_details: [{ id }] });
const soon = () => new Promise((on) => setTimeout(on));

/** A queue whose dialog does as it is told. */
function bench({ uses = null, refresh = (problem) => problem } = {}) {
  const asked = [];
  const shown = [];
  let open = 0;
  const queue = new Queue({
    ask: (problem, key, signal) => {
      assert.equal((open += 1), 1, "two dialogs at once");
      asked.push(problem.action);
      return new Promise((resolve, reject) => {
        const end = (how) => (value) => ((open -= 1), how(value));
        signal.addEventListener("abort", () => end(reject)(signal.reason));
        shown.push({ prove: end((token) => resolve({ token, uses })), fail: end(reject) });
      });
    },
    refresh: async (problem, again) => refresh(problem, again),
  });
  return { queue, asked, shown };
}

test("calls for the same share one proof", async () => {
  const { queue, asked, shown } = bench();
  const all = [1, 2, 3].map(() => queue.prove(about("a")));
  await soon();
  shown[0].prove("token");
  assert.deepEqual(await Promise.all(all), ["token", "token", "token"]);
  assert.deepEqual(asked, ["a"]);
});

test("calls for different things queue, in their order", async () => {
  const { queue, asked, shown } = bench();
  const all = ["a", "b", "a"].map((id) => queue.prove(about(id)));
  await soon();
  assert.deepEqual(asked, ["a"]);
  shown[0].prove("of a");
  await soon();
  assert.deepEqual(asked, ["a", "b"]);
  shown[1].prove("of b");
  assert.deepEqual(await Promise.all(all), ["of a", "of b", "of a"]);
});

test("a proof that is good n times serves n; the rest are asked again before anybody else", async () => {
  const { queue, asked, shown } = bench({ uses: 2 });
  const all = ["a", "a", "a", "b"].map((id) => queue.prove(about(id)));
  for (const at of [0, 1, 2]) {
    await soon();
    shown[at].prove(`token ${at}`);
  }
  assert.deepEqual(await Promise.all(all), ["token 0", "token 0", "token 1", "token 2"]);
  assert.deepEqual(asked, ["a", "a", "b"]);
});

test("who has waited is looked at again, and may pass by now or have a new offer", async () => {
  const fresh = { b: null, c: { ...about("c"), offer: "new" } };
  const { queue, asked, shown } = bench({ refresh: (problem) => fresh[problem.action] });
  const all = ["a", "b", "c"].map((id) => queue.prove(about(id)));
  await soon();
  shown[0].prove("of a");
  await soon();
  shown[1].prove("of c");
  assert.deepEqual(await Promise.all(all), ["of a", null, "of c"]);
  assert.deepEqual(asked, ["a", "c"]);
});

test("calling off ends those who wait for the same, and the next are asked", async () => {
  const { queue, shown } = bench();
  const all = Promise.allSettled(["a", "a", "b"].map((id) => queue.prove(about(id))));
  await soon();
  shown[0].fail(new Error("called off"));
  await soon();
  shown[1].prove("of b");
  const ends = await all;
  assert.deepEqual(ends.map((one) => one.status), ["rejected", "rejected", "fulfilled"]);
});

test("a signal takes one out; the dialog closes when nobody is left", async () => {
  const { queue, asked, shown } = bench();
  const [one, two] = [new AbortController(), new AbortController()];
  const calls = [queue.prove(about("a"), one.signal), queue.prove(about("a"), two.signal), queue.prove(about("b"))];
  const all = Promise.allSettled(calls);
  await soon();
  one.abort(new Error("first"));
  await soon();
  assert.deepEqual(asked, ["a"]);
  two.abort(new Error("second"));
  await soon();
  assert.deepEqual(asked, ["a", "b"]);
  shown[1].prove("of b");
  const ends = await all;
  assert.deepEqual(ends.map((end) => end.reason?.message ?? end.value), ["first", "second", "of b"]);
});

test("a signal that was aborted before asks nobody", async () => {
  const { queue, asked } = bench();
  await assert.rejects(queue.prove(about("a"), AbortSignal.abort(new Error("before"))), { message: "before" });
  await soon();
  assert.deepEqual(asked, []);
});

test("after everybody is served the queue takes the next", async () => {
  const { queue, asked, shown } = bench();
  for (const at of [0, 1]) {
    const one = queue.prove(about("a"));
    await soon();
    shown[at].prove("token");
    assert.equal(await one, "token");
  }
  assert.deepEqual(asked, ["a", "a"]);
});

test("a new offer is had by making one of the calls again; one that goes through that way is served", async () => {
  const made = [];
  const again = (name, found) => async () => (made.push(name), found);
  const { queue, asked, shown } = bench({ refresh: (_, again) => again() });
  const first = queue.prove(about("a"));
  const all = [
    queue.prove(about("b"), null, again("passes", null)),
    queue.prove(about("b")),
    queue.prove(about("b"), null, again("blocked", { ...about("b"), offer: "new" })),
    queue.prove(about("b"), null, again("not needed", null)),
  ];
  await soon();
  shown[0].prove("of a");
  await soon();
  shown[1].prove("of b");
  assert.equal(await first, "of a");
  assert.deepEqual(await Promise.all(all), [null, "of b", "of b", "of b"]);
  assert.deepEqual(made, ["passes", "blocked"]);
  assert.deepEqual(asked, ["a", "b"]);
});

test("where nobody can make the call again it is stale", async () => {
  const { queue, shown } = bench({ refresh: (_, again) => again() });
  const all = Promise.allSettled(["a", "b"].map((id) => queue.prove(about(id))));
  await soon();
  shown[0].prove("of a");
  const [one, two] = await all;
  assert.deepEqual([one.value, two.reason.code], ["of a", "stale"]);
});
