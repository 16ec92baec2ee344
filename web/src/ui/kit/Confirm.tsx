import { text as strings } from '../../strings/en';
import { Dialog } from './Dialog';

interface ConfirmProps {
  title: string;
  text: string;
  /** What the button that does it says. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: ConfirmProps) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p class="dialog-text">{props.text}</p>
      <div class="actions">
        <button type="button" class="button" onClick={props.onClose}>
          {strings.cancel}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            props.onConfirm();
            props.onClose();
          }}
        >
          {props.action}
        </button>
      </div>
    </Dialog>
  );
}
