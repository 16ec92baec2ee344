import { createUniqueId, For } from 'solid-js';

interface ChoicesProps<T extends string> {
  legend: string;
  choices: readonly T[];
  labels: Record<T, string>;
  value: T;
  onChange(choice: T): void;
}

/** One of a few, all of them in sight. */
export function Choices<T extends string>(props: ChoicesProps<T>) {
  const name = createUniqueId();
  return (
    <fieldset class="choices">
      <legend>{props.legend}</legend>
      <For each={props.choices}>
        {(choice) => (
          <label>
            <input
              type="radio"
              name={name}
              value={choice}
              checked={props.value === choice}
              onChange={() => props.onChange(choice)}
            />
            {props.labels[choice]}
          </label>
        )}
      </For>
    </fieldset>
  );
}
