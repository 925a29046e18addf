// What is done before the first page is shown: who comes back from a provider is taken in, who was here is known.
import { handedOver, identify, waysIn } from "./api";
import { credentials, leave } from "./session";

const SIGNED_IN = "#signed-in";

export async function start(): Promise<void> {
  if (location.hash === SIGNED_IN) {
    history.replaceState(null, "", location.pathname + location.search);
    await handedOver().catch((failure: unknown) => leave(failure instanceof Error ? failure.message : String(failure)));
  } else if (credentials.value) {
    await identify().catch(() => null); // what one may not do is then never asked for
  } else if ((await waysIn().catch(() => null))?.required) {
    leave(""); // ask at once, instead of asking for data that nobody is given
  }
}
