// A secret that is shown once.
import { useState } from "preact/hooks";

import { moment } from "../format";
import type { Told } from "../outgoing";
import { Modal } from "./modal";
import { complain } from "./toast";

export function SecretDialog({ of, close }: { of: Told; close: () => void }) {
  const [copied, setCopied] = useState(false);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(of.secret);
      setCopied(true);
    } catch {
      complain("The browser does not let the page copy: select the secret and copy it.");
    }
  }
  return (
    <Modal title={`The secret of ${of.name}`} close={close}>
      <p>It is shown this once. Give it to the receiver, which verifies by it that a message is from here.</p>
      <p class="secret">
        <code tabIndex={0} aria-label="Secret">
          {of.secret}
        </code>
        <button type="button" class="primary" onClick={() => void copy()}>
          {copied ? "Copied" : "Copy"}
        </button>
      </p>
      {of.former_signs_until ? (
        <p class="quiet">The former one signs beside it until {moment(of.former_signs_until)}.</p>
      ) : null}
      <div class="acts">
        <button type="button" onClick={close}>
          I have kept it
        </button>
      </div>
    </Modal>
  );
}
