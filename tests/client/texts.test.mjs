/** The catalogue: every language says everything, with the same things filled in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EN as APPROVAL } from "../../src/stepup/web/static/approval.js";
import { EN as MAIL } from "../../src/stepup/web/static/mail.js";
import { setTexts } from "../../src/stepup/web/static/pure.js";
import { EN as TERMS } from "../../src/stepup/web/static/terms.js";
import { EN as COMMON, OTHERS, words } from "../../src/stepup/web/static/texts.js";

const PARTS = [COMMON, MAIL, APPROVAL, TERMS];
const EN = Object.assign({}, ...PARTS);

const names = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
const rules = (lang) => new Intl.PluralRules(lang).resolvedOptions().pluralCategories;

for (const [lang, load] of Object.entries(OTHERS)) {
  test(`${lang} says everything`, async () => {
    const { default: texts } = await load();
    const plain = (keys) => keys.filter((one) => !one.startsWith("tries.")).sort();
    assert.deepEqual(plain(Object.keys(texts)), plain(Object.keys(EN)));
    for (const key of plain(Object.keys(EN))) {
      assert.ok(texts[key].trim(), key);
      assert.deepEqual(names(texts[key]), names(EN[key]), key);
    }
  });

  test(`${lang} counts`, async () => {
    const said = await words([lang]);
    assert.equal(said.lang, lang);
    for (const n of [0, 1, 2, 3, 5, 11, 100]) assert.ok(said.count("tries", n), `${n}`);
    const { default: texts } = await load();
    assert.ok("tries.other" in texts);
    if (lang === "ar") for (const rule of rules("ar")) assert.ok(`tries.${rule}` in texts, rule);
  });
}

test("each text is in one part", () => {
  assert.equal(Object.keys(EN).length, PARTS.flatMap(Object.keys).length);
});

test("a part brings its words, behind those of the language and the page", async () => {
  const [de, none] = [await words(["de"]), await words(["tlh"])];
  for (const said of [de, none]) said.also(MAIL);
  assert.notEqual(de.say("email_code.go"), MAIL["email_code.go"]);
  assert.equal(none.say("email_code.go"), MAIL["email_code.go"]);
});

test("a language that is not there is English, and Arabic runs from the right", async () => {
  assert.deepEqual([(await words(["tlh", null])).lang, (await words(["ar-EG"])).dir], ["en", "rtl"]);
  assert.equal((await words([])).count("tries", 1), "1 try is left.");
});

test("a page can replace texts, in one language or in all, and add a language", async () => {
  setTexts({ cancel: "Avbryt" }, "nb");
  setTexts({ help: "Call us" });
  setTexts({ go: "Yes, it is me" }, "en");
  const [nb, en, none] = [await words(["nb-NO"]), await words(["en"]), await words([undefined, ""])];
  assert.deepEqual([nb.lang, nb.say("cancel"), nb.say("go"), nb.say("help")], ["nb", "Avbryt", EN.go, "Call us"]);
  assert.deepEqual([en.say("go"), none.say("go"), none.lang], ["Yes, it is me", "Yes, it is me", "en"]);
  assert.equal(en.say("no such text"), "");
});
