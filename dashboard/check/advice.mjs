// Looks at what a language model is asked and says on the page of an alert.
import { barriers, given, opened, run, wrong } from "./looking.mjs";

await run({
  /** Advice is asked for by a button, shown as the text that it is, and still there afterwards. */
  async advice(browser) {
    const page = await opened(browser, `/dashboard/alerts/${given.alert}`);
    await page.getByText("but no code").waitFor();
    await page.getByRole("button", { name: "Ask for advice" }).click();
    await page.locator(".advice").waitFor();
    const said = await page.locator(".advice").innerText();
    if (said !== given.said) {
      wrong.push(`the advice is ${said}`);
    }
    if (await page.getByRole("button", { name: /^Ask/ }).count()) {
      wrong.push("one may ask for the same again");
    }
    await barriers(page, "advice");
    await page.reload();
    await page.locator(".advice").waitFor();
  },

  /** Where no model is set up, there is nothing of it. */
  async none(browser) {
    const page = await opened(browser, `/dashboard/alerts/${given.alert}`);
    const asked = page.waitForResponse((answer) => answer.url().endsWith("/advice"));
    await page.reload();
    await asked;
    await page.locator(".suspects").waitFor();
    if (await page.getByRole("button", { name: /advice/ }).count()) {
      wrong.push("there is a button for advice");
    }
  },
});
