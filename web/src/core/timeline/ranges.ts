import type { SeqRange } from '../../gen/wire';

export type Place = number;

export const within = ({ from_seq, to_seq }: SeqRange, seq: Place): boolean =>
  from_seq <= seq && seq <= to_seq;

/**
 * Sorted stretches with another one: those that overlap or touch become one. An empty stretch
 * (`to_seq` just below `from_seq`) is a place, and touches like any other.
 */
export function join(stretches: readonly SeqRange[], added: SeqRange): SeqRange[] {
  if (added.to_seq < added.from_seq - 1) return [...stretches];
  let { from_seq, to_seq } = added;
  const below: SeqRange[] = [];
  const above: SeqRange[] = [];
  for (const stretch of stretches) {
    if (stretch.to_seq < from_seq - 1) below.push(stretch);
    else if (stretch.from_seq > to_seq + 1) above.push(stretch);
    else {
      from_seq = Math.min(from_seq, stretch.from_seq);
      to_seq = Math.max(to_seq, stretch.to_seq);
    }
  }
  return [...below, { from_seq, to_seq }, ...above];
}
