// A dialog that is there as long as it is drawn; Escape closes it.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Modal({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      dialog.current?.close();
      (before as HTMLElement | null)?.focus?.({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="modal"
      aria-labelledby="modal"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id="modal">{title}</h2>
      {children}
    </dialog>
  );
}
