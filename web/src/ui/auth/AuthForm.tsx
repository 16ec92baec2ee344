import { createSignal, Show } from 'solid-js';
import { type Credentials, login, register } from '../../core/api/client';
import { ApiError } from '../../core/api/http';
import { signedIn } from '../../state/app';
import { account } from '../../storage/account';
import { text } from '../../strings/en';
import { Field } from '../kit/Field';
import { browserName } from './browserName';
import { PasswordField } from './PasswordField';

export type AuthMode = 'login' | 'register';

type FieldName = 'username' | 'password' | 'display_name';
type Errors = Partial<Record<FieldName | 'form', string>>;

const SHORTEST_PASSWORD = 8;

function check(mode: AuthMode, { username, password }: Credentials): Errors {
  const errors: Errors = {};
  if (username === '') errors.username = text.usernameMissing;
  if (password === '') errors.password = text.passwordMissing;
  else if (mode === 'register' && password.length < SHORTEST_PASSWORD) {
    errors.password = text.passwordShort;
  }
  return errors;
}

const FIELDS: readonly string[] = ['username', 'password', 'display_name'] satisfies FieldName[];

function explain(error: unknown): Errors {
  if (!(error instanceof ApiError)) return { form: text.noAnswer };
  if (error.code === 'bad_credentials') return { form: text.badCredentials };
  if (error.code === 'username_taken') return { username: text.usernameTaken };
  if (error.retryAfterMs !== undefined && error.status === 429) {
    return { form: text.tooMany(Math.ceil(error.retryAfterMs / 1000)) };
  }
  const field = error.field ?? '';
  return { [FIELDS.includes(field) ? field : 'form']: error.message };
}

/** Signs in or up. With a `username` given, only that user's password is asked for. */
export function AuthForm(props: { mode: AuthMode; username?: string }) {
  const [errors, setErrors] = createSignal<Errors>({});
  const [busy, setBusy] = createSignal(false);
  let form: HTMLFormElement | undefined;

  const values = (): Credentials => {
    const data = new FormData(form);
    const value = (name: FieldName): string => {
      const entry = data.get(name);
      return typeof entry === 'string' ? entry : '';
    };
    const username = props.username ?? value('username').trim();
    const password = value('password');
    const credentials: Credentials = { username, password, device_label: browserName() };
    if (props.mode === 'login') return { ...credentials, ...account.device(username) };
    const display_name = value('display_name').trim();
    return display_name === '' ? credentials : { ...credentials, display_name };
  };

  const fail = (found: Errors): void => {
    setErrors(found);
    form?.querySelector<HTMLInputElement>('[aria-invalid="true"]')?.focus();
  };

  const submit = async (): Promise<void> => {
    if (busy()) return;
    const credentials = values();
    const found = check(props.mode, credentials);
    if (Object.keys(found).length > 0) {
      fail(found);
      return;
    }
    setErrors({});
    setBusy(true);
    try {
      signedIn(await (props.mode === 'login' ? login : register)(credentials));
    } catch (error) {
      fail(explain(error));
    } finally {
      setBusy(false);
    }
  };

  const registering = (): boolean => props.mode === 'register';

  return (
    <form
      ref={form}
      class="auth-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Field
        label={text.username}
        name="username"
        value={props.username ?? ''}
        readOnly={props.username !== undefined}
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
        maxLength={32}
        required
        hint={registering() ? text.usernameHint : undefined}
        error={errors().username}
      />
      <Show when={registering()}>
        <Field
          label={text.displayName}
          note={text.optional}
          name="display_name"
          autocomplete="name"
          maxLength={64}
          error={errors().display_name}
        />
      </Show>
      <PasswordField
        label={text.password}
        name="password"
        autocomplete={registering() ? 'new-password' : 'current-password'}
        autofocus={props.username !== undefined}
        hint={registering() ? text.passwordHint : undefined}
        error={errors().password}
      />
      <p class="error form-error" role="alert">
        {errors().form}
      </p>
      <button type="submit" class="button primary" aria-disabled={busy()}>
        {registering() ? text.signUp : text.signIn}
      </button>
    </form>
  );
}
