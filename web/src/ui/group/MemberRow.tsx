import UserMinus from 'lucide-solid/icons/user-minus';
import { For, Show } from 'solid-js';
import type { Participant, Role } from '../../gen/wire';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { IconButton } from '../kit/IconButton';

const ROLES: Role[] = ['owner', 'admin', 'member'];

interface MemberRowProps {
  member: Participant;
  /** My own role. */
  my: Role;
  onRole(role: Role): void;
  onRemove(): void;
}

export function MemberRow(props: MemberRowProps) {
  const model = useModel();
  const user = () => props.member.user;
  const isMe = (): boolean => user().id === model.me().id;
  const mayRemove = (): boolean => !isMe() && props.my !== 'member';
  return (
    <li>
      <Avatar
        id={user().id}
        name={user().display_name}
        status={isMe() ? undefined : model.status(user().id)}
      />
      <span class="name">
        {user().display_name} <span class="hint">@{user().username}</span>
      </span>
      <Show
        when={props.my === 'owner' && !isMe()}
        fallback={<span class="hint">{text.roles[props.member.role]}</span>}
      >
        <select
          aria-label={text.roleOf(user().display_name)}
          onChange={(event) => props.onRole(event.currentTarget.value as Role)}
        >
          <For each={ROLES}>
            {(role) => (
              <option value={role} selected={role === props.member.role}>
                {text.roles[role]}
              </option>
            )}
          </For>
        </select>
      </Show>
      <Show when={mayRemove()}>
        <IconButton label={text.removeMember(user().display_name)} onClick={() => props.onRemove()}>
          <UserMinus size={16} strokeWidth={1.75} />
        </IconButton>
      </Show>
    </li>
  );
}
