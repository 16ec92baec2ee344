import { text } from '../../strings/en';
import { Dialog } from '../kit/Dialog';
import { AuthForm } from './AuthForm';

/** Over the page that is still there: nothing of it is lost while signed out. */
export default function SessionExpired(props: { username: string }) {
  return (
    <Dialog title={text.expiredTitle}>
      <p class="dialog-text">{text.expiredText}</p>
      <AuthForm mode="login" username={props.username} />
    </Dialog>
  );
}
