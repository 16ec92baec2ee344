import { createUniqueId, type JSX, Show, splitProps } from 'solid-js';

interface FieldProps extends JSX.InputHTMLAttributes<HTMLInputElement> {
  label: string;
  note?: string | undefined;
  hint?: string | undefined;
  error?: string | undefined;
  /** What stands inside the field, at its end. */
  children?: JSX.Element;
}

/** A labelled input; its error and hint are tied to it. */
export function Field(props: FieldProps) {
  const [own, input] = splitProps(props, ['label', 'note', 'hint', 'error', 'children']);
  const id = createUniqueId();
  const described = (): string | undefined => {
    if (own.error !== undefined) return `${id}-error`;
    return own.hint === undefined ? undefined : `${id}-hint`;
  };
  return (
    <div class="field">
      <label for={id}>
        {own.label} <Show when={own.note}>{(note) => <span class="note">({note()})</span>}</Show>
      </label>
      <div class="input">
        <input
          {...input}
          id={id}
          aria-invalid={own.error === undefined ? undefined : 'true'}
          aria-describedby={described()}
        />
        {own.children}
      </div>
      <Show
        when={own.error}
        fallback={
          <Show when={own.hint !== undefined}>
            <p class="hint" id={`${id}-hint`}>
              {own.hint}
            </p>
          </Show>
        }
      >
        {(error) => (
          <p class="error" id={`${id}-error`}>
            {error()}
          </p>
        )}
      </Show>
    </div>
  );
}
