import Eye from 'lucide-solid/icons/eye';
import EyeOff from 'lucide-solid/icons/eye-off';
import { createSignal, Show } from 'solid-js';
import { text } from '../../strings/en';
import { Field } from '../kit/Field';

interface PasswordFieldProps {
  label: string;
  name: string;
  autocomplete: 'current-password' | 'new-password';
  autofocus?: boolean;
  hint?: string | undefined;
  error?: string | undefined;
}

/** A password that can be shown, and a word when Caps Lock is on. */
export function PasswordField(props: PasswordFieldProps) {
  const [shown, setShown] = createSignal(false);
  const [caps, setCaps] = createSignal(false);
  const look = (event: KeyboardEvent): void => {
    setCaps(event.getModifierState('CapsLock'));
  };
  return (
    <Field
      label={props.label}
      name={props.name}
      type={shown() ? 'text' : 'password'}
      autocomplete={props.autocomplete}
      required
      autofocus={props.autofocus === true}
      hint={caps() ? text.capsLock : (props.hint ?? '')}
      error={props.error}
      onKeyDown={look}
      onKeyUp={look}
      onBlur={() => setCaps(false)}
    >
      <button
        type="button"
        class="icon-button"
        aria-label={text.showPassword}
        aria-pressed={shown()}
        title={text.showPassword}
        onClick={() => setShown(!shown())}
      >
        <Show when={shown()} fallback={<Eye size={16} strokeWidth={1.75} />}>
          <EyeOff size={16} strokeWidth={1.75} />
        </Show>
      </button>
    </Field>
  );
}
