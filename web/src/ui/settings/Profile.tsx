import { createSignal, type JSX, Show } from 'solid-js';
import { forgetAccount, useModel } from '../../state/app';
import { text } from '../../strings/en';
import { PasswordField } from '../auth/PasswordField';
import { createAttempt } from '../kit/attempt';
import { Dialog } from '../kit/Dialog';
import { Field } from '../kit/Field';

export function Profile() {
  const [deleting, setDeleting] = createSignal(false);
  return (
    <>
      <DisplayName />
      <Password />
      <section>
        <h2>{text.deleteAccount}</h2>
        <p class="dialog-text">{text.deleteAccountText}</p>
        <button type="button" class="button danger" onClick={() => setDeleting(true)}>
          {text.deleteAccount}
        </button>
      </section>
      <Show when={deleting()}>
        <DeleteAccount onClose={() => setDeleting(false)} />
      </Show>
    </>
  );
}

interface FormProps {
  title: string;
  /** What the button that sends it says. */
  action: string;
  busy: boolean;
  onSend: (form: HTMLFormElement) => Promise<void>;
  children: JSX.Element;
}

function Form(props: FormProps) {
  return (
    <form
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void props.onSend(event.currentTarget);
      }}
    >
      <h2>{props.title}</h2>
      {props.children}
      <div class="actions">
        <button type="submit" class="button primary" aria-disabled={props.busy}>
          {props.action}
        </button>
      </div>
    </form>
  );
}

function DisplayName() {
  const model = useModel();
  const [name, setName] = createSignal(model.me().display_name);
  const attempt = createAttempt();
  const save = async (): Promise<void> => {
    if (name().trim() === '') {
      attempt.fail('display_name', text.displayNameMissing);
      return;
    }
    const saved = await attempt.run(async () =>
      model.rename(await model.client.api.setDisplayName(name().trim())),
    );
    if (saved) model.toasts.notice({ text: text.saved });
  };
  return (
    <Form
      title={text.settingsSections.profile}
      action={text.save}
      busy={attempt.busy()}
      onSend={save}
    >
      <Field label={text.username} value={model.me().username} readOnly />
      <Field
        label={text.displayName}
        autocomplete="name"
        maxLength={64}
        hint={text.displayNameHint}
        value={name()}
        error={attempt.errorOf('display_name') ?? attempt.other('display_name')}
        onInput={(event) => setName(event.currentTarget.value)}
      />
    </Form>
  );
}

const SHORTEST = 8;

function fieldOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value : '';
}

function Password() {
  const model = useModel();
  const attempt = createAttempt();
  const save = async (form: HTMLFormElement): Promise<void> => {
    const [current_password, new_password] = [fieldOf(form, 'current'), fieldOf(form, 'next')];
    if (new_password.length < SHORTEST) {
      attempt.fail('new_password', text.passwordShort);
      return;
    }
    const change = { current_password, new_password };
    if (!(await attempt.run(() => model.client.api.changePassword(change)))) return;
    form.reset();
    model.toasts.notice({ text: text.passwordChanged });
  };
  return (
    <Form
      title={text.changePassword}
      action={text.changePassword}
      busy={attempt.busy()}
      onSend={save}
    >
      <input type="hidden" autocomplete="username" value={model.me().username} />
      <PasswordField
        label={text.currentPassword}
        name="current"
        autocomplete="current-password"
        error={attempt.errorOf('current_password')}
      />
      <PasswordField
        label={text.newPassword}
        name="next"
        autocomplete="new-password"
        hint={text.passwordHint}
        error={attempt.errorOf('new_password')}
      />
      <p class="error form-error" role="alert">
        {attempt.other('current_password', 'new_password')}
      </p>
    </Form>
  );
}

function DeleteAccount(props: { onClose: () => void }) {
  const model = useModel();
  const attempt = createAttempt();
  const remove = async (form: HTMLFormElement): Promise<void> => {
    const password = fieldOf(form, 'password');
    const gone = await attempt.run(() => model.client.api.deleteAccount(password));
    if (gone) await forgetAccount();
  };
  return (
    <Dialog title={text.deleteAccount} onClose={props.onClose}>
      <form
        class="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void remove(event.currentTarget);
        }}
      >
        <p class="dialog-text">{text.deleteAccountText}</p>
        <PasswordField
          label={text.password}
          name="password"
          autocomplete="current-password"
          error={attempt.errorOf('password') ?? attempt.other('password')}
        />
        <div class="actions">
          <button type="button" class="button" onClick={props.onClose}>
            {text.cancel}
          </button>
          <button type="submit" class="button danger" aria-disabled={attempt.busy()}>
            {text.deleteAccountConfirm}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
