import { text } from '../../strings/en';
import { Dialog } from '../kit/Dialog';
import { ShortcutList } from './ShortcutList';

export default function Shortcuts(props: { onClose: () => void }) {
  return (
    <Dialog title={text.shortcuts} onClose={props.onClose} reading>
      <ShortcutList />
      <div class="actions">
        <button type="button" class="button" onClick={props.onClose}>
          {text.close}
        </button>
      </div>
    </Dialog>
  );
}
