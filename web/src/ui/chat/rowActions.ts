import { NoAnswer } from '../../core/api/http';
import type { MessageRow } from '../../core/timeline/rows';
import type { Model } from '../../state/model';
import { pathOf } from '../../state/router';
import { text } from '../../strings/en';
import { copyText } from '../kit/clipboard';
import type { MenuItem } from '../kit/Menu';
import type { TimelineView } from './timelineView';

/** What can be done with a message; absent where it cannot. */
export interface RowActions {
  reply?: () => void;
  edit?: () => void;
  copy?: () => void;
  copyLink?: () => void;
  markUnread?: () => void;
  remove?: () => void;
}

const focusComposer = (): void => {
  document.querySelector<HTMLElement>('.composer textarea')?.focus();
};

export function actionsOf(model: Model, view: TimelineView, row: MessageRow): RowActions {
  const { seq, body } = row;
  const { id, meta } = view.chat();
  if (seq === undefined || body === null) return {};
  const copied = (what: string): void => {
    copyText(what).then(
      () => model.toasts.notice({ text: text.copied }),
      () => model.toasts.notice({ text: text.notCopied }),
    );
  };
  const actions: RowActions = {
    reply() {
      model.drafts.write(id, { ...model.drafts.of(id), reply: seq });
      focusComposer();
    },
    copy: () => copied(body),
    copyLink: () => copied(location.origin + pathOf(id, seq)),
  };
  if (row.own) {
    actions.edit = () => {
      model.setEditing({ conversation: id, seq, body });
      focusComposer();
    };
  } else {
    actions.markUnread = () => view.markUnread(seq);
  }
  if (row.own || meta.role !== 'member') {
    actions.remove = () => {
      model.client.api.remove(id, seq).catch((error: unknown) => {
        const why = error instanceof NoAnswer ? text.noAnswer : (error as Error).message;
        model.toasts.notice({ text: why });
      });
    };
  }
  return actions;
}

/** The same as a menu. `ask` stands between a deletion and its doing. */
export function menuOf(actions: RowActions, ask: (remove: () => void) => void): MenuItem[] {
  const { remove } = actions;
  const items: (MenuItem | undefined)[] = [
    actions.reply && { label: text.reply, key: 'R', run: actions.reply },
    actions.edit && { label: text.edit, key: 'E', run: actions.edit },
    actions.copy && { label: text.copyText, key: 'C', run: actions.copy },
    actions.copyLink && { label: text.copyLink, run: actions.copyLink },
    actions.markUnread && { label: text.markUnread, run: actions.markUnread },
    remove && { label: text.remove, key: 'Del', danger: true, run: () => ask(remove) },
  ];
  return items.filter((item) => item !== undefined);
}
