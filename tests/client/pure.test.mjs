/** The client's logic that needs no browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as base64url from "../../src/stepup/web/static/base64url.js";
import * as pure from "../../src/stepup/web/static/pure.js";
import { fill, pickLanguage } from "../../src/stepup/web/static/texts.js";

test("a blocked call is one that proof would open", () => {
  for (const code of ["verification_required", "grant_required", "grant_invalid", "approval_pending"]) {
    assert.ok(pure.blocked({ code, offer: "o" }));
    assert.equal(pure.blocked({ code }), null);
  }
  for (const other of [null, undefined, "", 7, [], {}, { code: "login_required", offer: "o" }]) {
    assert.equal(pure.blocked(other), null);
  }
});

test("a blocked call is found where HTTP clients put the body", () => {
  const problem = { code: "grant_required", offer: "o" };
  for (const where of [problem, { problem }, { data: problem }, { body: problem }, { response: { data: problem } }]) {
    assert.equal(pure.blockedIn(where), problem);
  }
  assert.equal(pure.blockedIn(new Error("its own")), null);
  assert.equal(pure.blockedIn(undefined), null);
});

test("the same call has the same key, whatever the order of its members", () => {
  const one = { action: "a", authorization_details: [{ actions: ["a"], params: { x: 1, y: [2, { b: 1, a: 2 }] } }] };
  const same = { authorization_details: [{ params: { y: [2, { a: 2, b: 1 }], x: 1 }, actions: ["a"] }], action: "a" };
  assert.equal(pure.bindingKey({ code: "", ...one }), pure.bindingKey({ code: "", ...same }));
  for (const other of [
    { ...one, action: "b" },
    { ...one, authorization_details: [{ actions: ["a"], params: { x: 2, y: [2, { b: 1, a: 2 }] } }] },
    { action: "a", offer: "o" },
  ]) {
    assert.notEqual(pure.bindingKey({ code: "", ...one }), pure.bindingKey({ code: "", ...other }));
  }
});

test("another origin is told by scheme, host and port, and an address that cannot be read is another", () => {
  const own = "https://app.northstar.example/page";
  for (const url of ["/x", "x", "?y", "https://app.northstar.example", "//app.northstar.example/x"]) {
    assert.equal(pure.sameOrigin(url, own), true, url);
  }
  for (const url of [
    "http://app.northstar.example/", "https://app.northstar.example:8443/", "https://northstar.example/", "//evil.example",
    "https:\\\\evil.example", "\\\\evil.example", "/\\evil.example", "data:text/plain,x", "javascript:1", "https://[",
    "https://app.northstar.example@evil.example/", "https://app.northstar.example.evil.example/", "blob:null/x",
  ]) {
    assert.equal(pure.sameOrigin(url, own), false, url);
  }
});

test("where links begin and whose page it is are two things", () => {
  const page = "https://app.northstar.example/page";
  assert.equal(pure.sameOrigin("/x", "https://evil.example/", page), false);
  assert.equal(pure.sameOrigin("https://app.northstar.example/x", "https://evil.example/", page), true);
});

test("a stream cannot be sent twice; everything else can", () => {
  assert.equal(pure.replayable(new ReadableStream()), false);
  assert.equal(pure.replayable((async function* () {})()), false);
  for (const body of [undefined, null, "", "x", new Blob(), new FormData(), new URLSearchParams(), new Uint8Array(1)]) {
    assert.equal(pure.replayable(body), true);
  }
});

test("codes lose spaces and dashes, and keep their zeros", () => {
  for (const typed of ["012 345", "012-345", " 0 1 2 3 4 5 ", "012\u2013345", "012\u00a0345", "\uff10\uff11\uff12345", "\u200b012345"]) {
    assert.equal(pure.cleanCode(typed), "012345", JSON.stringify(typed));
  }
});

test("what cannot be a code is told apart", () => {
  const found = ["", "12345", "123456", "12345678", "123456789", "12345o"].map(pure.codeTrouble);
  assert.deepEqual(found, ["empty", "few", "", "", "many", "letters"]);
});

test("time left is whole seconds, rounded up, never less than none", () => {
  assert.deepEqual([[5000, 0], [5000, 4999], [5000, 5000], [5000, 9000]].map(([a, b]) => pure.secondsLeft(a, b)), [5, 1, 0, 0]);
  assert.deepEqual([0, 9, 60, 299, 3600, 86399].map(pure.clock), ["0:00", "0:09", "1:00", "4:59", "60:00", "23:59:59"]);
});

test("a minute and twenty seconds are worth saying, once each, though the clock may jump", () => {
  const said = [];
  let before = 0;
  for (const left of [300, 61, 60, 59, 21, 20, 19, 0]) {
    said.push(pure.worthSaying(before, left));
    before = left;
  }
  assert.deepEqual(said, [undefined, undefined, 60, undefined, undefined, 20, undefined, undefined]);
  assert.equal(pure.worthSaying(300, 10), 20);
});

test("the first language that is known is taken, by its base", () => {
  assert.equal(pickLanguage(["de-AT", "fr"], ["en", "de"]), "de");
  assert.equal(pickLanguage(["tlh", "FR-ca"], ["en", "fr"]), "fr");
  assert.equal(pickLanguage([null, undefined, ""], ["en", "de"]), "en");
});

test("names are filled in, once, and others are left", () => {
  assert.equal(fill("{a} {b} {a}", { a: "{b}", b: 0 }), "{b} 0 {b}");
  assert.equal(fill("{c}", {}), "{c}");
});

test("base64url goes there and back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  const text = base64url.toBase64url(bytes.buffer);
  assert.match(text, /^[A-Za-z0-9_-]+$/);
  assert.deepEqual(base64url.fromBase64url(text), bytes);
});

test("errors have a code and can be told apart", () => {
  const called = new pure.StepUpCancelledError();
  assert.ok(called instanceof pure.StepUpError && called instanceof Error);
  assert.deepEqual([called.name, called.code, called.problem], ["StepUpCancelledError", "cancelled", null]);
});
