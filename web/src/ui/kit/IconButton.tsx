import { type JSX, splitProps } from 'solid-js';

interface IconButtonProps extends JSX.ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
  children: JSX.Element;
}

export function IconButton(props: IconButtonProps) {
  const [own, button] = splitProps(props, ['label', 'children']);
  return (
    <button type="button" class="icon-button" {...button} aria-label={own.label} title={own.label}>
      {own.children}
    </button>
  );
}
