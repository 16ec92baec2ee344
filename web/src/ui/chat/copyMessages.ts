import { timeOf } from '../../core/time/format';
import type { Row } from '../../core/timeline/rows';

/** A selection over several messages is copied as one line a message: "Name, time: text". */
export function copyMessages(
  event: ClipboardEvent,
  list: HTMLElement,
  rows: ReadonlyMap<string, Row>,
  nameOf: (user: string) => string,
): void {
  const selection = document.getSelection();
  if (selection === null || selection.rangeCount === 0) return;
  const range = selection.getRangeAt(0);
  const lines = [...list.querySelectorAll<HTMLElement>('li[data-row]')]
    .filter((element) => range.intersectsNode(element))
    .map((element) => rows.get(element.dataset.key ?? ''))
    .filter((row) => row?.kind === 'message' && row.body !== null)
    .map((row) => row as Extract<Row, { kind: 'message' }>)
    .map((row) => `${nameOf(row.sender)}, ${timeOf(row.at)}: ${row.body}`);
  if (lines.length < 2) return;
  event.preventDefault();
  event.clipboardData?.setData('text/plain', lines.join('\n'));
}
