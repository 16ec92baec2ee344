import { createUniqueId, type JSX, onCleanup, onMount } from 'solid-js';

interface DialogProps {
  title: string;
  /** Undefined: only what is inside can end it. */
  onClose?: () => void;
  /** There is only something to read: that comes first, not a button at its end. */
  reading?: boolean;
  children: JSX.Element;
}

/** A modal dialog, open as long as it is mounted; closing it gives the focus back. */
export function Dialog(props: DialogProps) {
  const id = createUniqueId();
  let element: HTMLDialogElement | undefined;
  let mounted = true;
  onMount(() => element?.showModal());
  onCleanup(() => {
    mounted = false;
    element?.close();
  });
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        if (props.onClose === undefined) event.preventDefault();
      }}
      onClose={() => {
        if (!mounted) return;
        // A second Escape closes whatever `cancel` says.
        if (props.onClose === undefined) element?.showModal();
        else props.onClose();
      }}
    >
      <h2
        id={id}
        tabindex={props.reading === true ? '-1' : undefined}
        autofocus={props.reading === true}
      >
        {props.title}
      </h2>
      {props.children}
    </dialog>
  );
}
