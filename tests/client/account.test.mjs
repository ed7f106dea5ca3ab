/** What the account's elements compute without a browser, and their catalogue. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as pure from "../../src/stepup/web/static/account-pure.js";
import { EN, OTHERS, accountWords } from "../../src/stepup/web/static/account-texts.js";
import { setTexts } from "../../src/stepup/web/static/pure.js";
import { EN as DIALOG } from "../../src/stepup/web/static/texts.js";

const NOW = Date.UTC(2026, 5, 11, 18, 0);
const MINUTE = 60_000;
const names = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
const counted = (key) => key.startsWith("events.shown.");

test("a time is said by how far it is; what is to come is rounded, and what is far is a date", () => {
  const said = (minutes) => pure.moment(NOW + minutes * MINUTE, NOW, "en-GB", "UTC").text;
  assert.deepEqual([0, -0.9, 0.9].map(said), ["now", "now", "now"]);
  assert.deepEqual([-1, -59.9, 1.5].map(said), ["1 minute ago", "59 minutes ago", "in 2 minutes"]);
  assert.deepEqual([-60, -23.5 * 60, 60 * 24 - 1].map(said), ["1 hour ago", "23 hours ago", "in 24 hours"]);
  assert.deepEqual([-24 * 60, -6.9 * 24 * 60, 24 * 60].map(said), ["yesterday", "6 days ago", "tomorrow"]);
  assert.equal(said(24 * 60 + 0.01), "tomorrow");
  assert.deepEqual([-7 * 24 * 60, 30 * 24 * 60].map(said), ["4 Jun 2026", "11 Jul 2026"]);
});

test("the whole time is the title, in the language", () => {
  assert.equal(pure.moment(NOW, NOW, "de", "UTC").title, "Donnerstag, 11. Juni 2026 um 18:00");
  assert.match(pure.moment(NOW, NOW, "en-GB", "UTC").title, /^Thursday,? 11 June 2026.*18:00$/);
});

test("times are written by the habits of the page's region, else of the reader's", () => {
  assert.equal(pure.regional("en", ["en", "de-AT", "en-GB"]), "en-GB");
  assert.equal(pure.regional("de", ["de-CH", "de-AT"]), "de-CH");
  assert.equal(pure.regional("fr", [null, undefined, "en-GB"]), "fr");
});

test("browsers are known by what they say last of themselves", () => {
  const mozilla = "Mozilla/5.0";
  const like = "AppleWebKit/537.36 (KHTML, like Gecko)";
  for (const [agent, browser, system] of [
    [`${mozilla} (X11; Linux x86_64) ${like} HeadlessChrome/156.0.0.0 Safari/537.36`, "Chrome", "Linux"],
    [`${mozilla} (Windows NT 10.0; Win64; x64) ${like} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`, "Edge", "Windows"],
    [`${mozilla} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15`, "Safari", "macOS"],
    [`${mozilla} (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0 Mobile/15E148 Safari/604.1`, "Chrome", "iPhone"],
    [`${mozilla} (Linux; Android 16; K) ${like} SamsungBrowser/30.0 Chrome/140.0.0.0 Mobile Safari/537.36`, "Samsung Internet", "Android"],
    [`${mozilla} (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0`, "Firefox", "Linux"],
    ["curl/8.9", "", ""],
    ["", "", ""],
    [null, "", ""],
  ]) {
    assert.deepEqual(pure.browserOf(agent), { browser, system }, agent);
  }
});

test("what happened is pictured: refused first, then by its kind", () => {
  const pictured = (type, result = "ok", method = null) => pure.pictureOf({ type, result, method });
  assert.deepEqual(
    [pictured("attempt", "refused"), pictured("attempt", "open"), pictured("attempt"), pictured("factor_enrolled", "ok", "totp")],
    ["refused", "open", "ok", "totp"],
  );
  assert.deepEqual(
    [pictured("factor_removed"), pictured("code_sent"), pictured("anything"), pictured("anything", "never heard of")],
    ["factor", "email_code", "other", "refused"],
  );
});

test("a history grows at its beginning and keeps its end, unless there is a gap", () => {
  const page = (ids, after) => ({ events: ids.map((id) => ({ id })), after });
  const ids = ({ events, after }) => [events.map((one) => one.id).join(""), after];
  assert.deepEqual(ids(pure.grown(page([], null), page(["b", "a"], null))), ["ba", null]);
  assert.deepEqual(ids(pure.grown(page(["c", "b", "a"], "x"), page(["e", "d", "c"], "y"))), ["edcba", "x"]);
  assert.deepEqual(ids(pure.grown(page(["b", "a"], "x"), page(["b", "a"], "y"))), ["ba", "x"]);
  assert.deepEqual(ids(pure.grown(page(["b", "a"], "x"), page(["z", "y"], "y"))), ["zy", "y"]);
});

test("the focus goes to the same row, else to the next that is left, else to the one before", () => {
  const rows = ["a", "b", "c"];
  assert.equal(pure.neighbour(rows, "b", ["a", "b", "c"]), "b");
  assert.equal(pure.neighbour(rows, "b", ["a", "c"]), "c");
  assert.equal(pure.neighbour(rows, "c", ["a", "b"]), "b");
  assert.equal(pure.neighbour(rows, "a", ["c"]), "c");
  assert.equal(pure.neighbour(rows, "b", []), undefined);
  assert.equal(pure.neighbour(rows, "x", []), undefined);
});

test("secrets come in groups, codes as a text for every system, files with plain names", () => {
  assert.equal(pure.grouped("ABCDEFGHIJ"), "ABCD EFGH IJ");
  assert.equal(pure.grouped(""), "");
  assert.equal(pure.kept("Codes", ["a", "b"], "Keep"), "Codes\r\n\r\na\r\nb\r\n\r\nKeep\r\n");
  assert.equal(pure.fileName("localhost:8000"), "recovery-codes-localhost-8000.txt");
});

test("a heading's level is 1 to 5, and 2 without one", () => {
  assert.deepEqual([null, "", "1", "5", "6", "0", "2.5", "x", "-1"].map(pure.headingLevel), [2, 2, 1, 5, 2, 2, 2, 2, 2]);
});

for (const [lang, load] of Object.entries(OTHERS)) {
  test(`${lang} says everything`, async () => {
    const { default: texts } = await load();
    const plain = (all) => Object.keys(all).filter((key) => !counted(key)).sort();
    assert.deepEqual(plain(texts), plain(EN));
    for (const key of plain(EN)) {
      assert.ok(texts[key].trim(), key);
      assert.deepEqual(names(texts[key]), names(EN[key]), key);
    }
    const said = await accountWords([lang]);
    assert.deepEqual([said.lang, said.say("events.title")], [lang, texts["events.title"]]);
    for (const form of new Intl.PluralRules(lang).resolvedOptions().pluralCategories) {
      assert.ok(texts[`events.shown.${form}`] ?? texts["events.shown.other"], form);
    }
    for (const n of [0, 1, 2, 3, 11, 100]) assert.ok(said.count("events.shown", n), `${n}`);
  });
}

test("the account's texts are none of the dialog's, and the dialog's are there as well", async () => {
  assert.deepEqual(Object.keys(EN).filter((key) => key in DIALOG), []);
  const said = await accountWords(["en"]);
  assert.deepEqual([said.say("passkey"), said.say("cancel"), said.say("no such text")], ["Passkey", "Cancel", ""]);
});

test("a page can replace them as it replaces the dialog's, and add a language", async () => {
  setTexts({ "factors.title": "Verification", cancel: "Never mind" }, "en");
  setTexts({ "factors.title": "Bekreftelse" }, "nb");
  const [en, nb] = [await accountWords(["en"]), await accountWords(["nb-NO"])];
  assert.deepEqual([en.say("factors.title"), en.say("cancel")], ["Verification", "Never mind"]);
  assert.deepEqual([nb.lang, nb.say("factors.title"), nb.say("factors.empty")], ["nb", "Bekreftelse", EN["factors.empty"]]);
});

test("every type of event has words, and what is unknown has some too", () => {
  const source = readFileSync(new URL("../../src/stepup/event.py", import.meta.url), "utf8");
  const types = [...source.matchAll(/^ {4}[A-Z_]+ = "([a-z_]+)"$/gm)].map(([, type]) => type);
  assert.ok(types.length >= 19);
  for (const type of types) {
    for (const result of type === "attempt" ? ["ok", "refused", "open"] : ["ok", "refused"]) {
      const named = pure.eventNames({ type, result }).find((name) => name in EN);
      assert.notEqual(named, "event.other", `${type} ${result}`);
    }
  }
  assert.equal(pure.eventNames({ type: "x", result: "ok" }).find((name) => name in EN), "event.other");
});
