//! Who may do what to whom: pure, decided on what was read under the
//! conversation's lock.

use super::{Refusal, Result};
use crate::model::*;

type Verdict = std::result::Result<(), Refusal>;

/// Title, members and roles are a group's; a direct conversation has exactly
/// its two participants for ever.
pub(super) fn only_groups(kind: ConversationKind) -> Verdict {
    match kind {
        ConversationKind::Group => Ok(()),
        ConversationKind::Direct => {
            Err(Refusal::Forbidden("a direct conversation keeps its two participants"))
        }
    }
}

pub(super) fn may_manage(actor: Role) -> Verdict {
    match actor >= Role::Admin {
        true => Ok(()),
        false => Err(Refusal::Forbidden("only admins and owners may do this")),
    }
}

/// Anyone may leave. To remove another one must manage the group, and not be
/// below them.
pub(super) fn may_remove(actor: Role, target: Role, leaving: bool) -> Verdict {
    if leaving {
        return Ok(());
    }
    may_manage(actor)?;
    match actor >= target {
        true => Ok(()),
        false => Err(Refusal::Forbidden("only an owner may remove an owner")),
    }
}

/// `owners`: how many there are now.
pub(super) fn may_set_role(actor: Role, from: Role, to: Role, owners: i64) -> Verdict {
    if actor != Role::Owner {
        return Err(Refusal::Forbidden("only owners may change roles"));
    }
    if from == Role::Owner && to != Role::Owner && owners <= 1 {
        return Err(Refusal::Conflict("a group needs an owner; name another one first"));
    }
    Ok(())
}

pub(super) fn may_edit(message: &Message, actor: UserId) -> Verdict {
    only_text(message)?;
    if message.sender_id != actor {
        return Err(Refusal::Forbidden("only its sender may edit a message"));
    }
    match message.deleted_at {
        None => Ok(()),
        Some(_) => Err(Refusal::Conflict("the message is deleted")),
    }
}

pub(super) fn may_delete(message: &Message, actor: UserId, role: Role) -> Verdict {
    only_text(message)?;
    match message.sender_id == actor || role >= Role::Admin {
        true => Ok(()),
        false => Err(Refusal::Forbidden("only its sender, admins and owners may delete it")),
    }
}

fn only_text(message: &Message) -> Verdict {
    match message.kind {
        MessageKind::Text => Ok(()),
        MessageKind::System => Err(Refusal::Forbidden("system messages stay as they are")),
    }
}

/// Who becomes owner when no owner is left: the oldest admin, else the oldest
/// member. `members` come oldest first.
pub(super) fn successor(members: &[(UserId, Role)]) -> Option<UserId> {
    if members.iter().any(|(_, role)| *role == Role::Owner) {
        return None;
    }
    let admin = members.iter().find(|(_, role)| *role == Role::Admin);
    admin.or(members.first()).map(|(user, _)| *user)
}

/// The pair in one order: whoever begins, it is the same conversation.
pub(super) fn direct_key(one: UserId, other: UserId) -> Result<String> {
    match one == other {
        true => Err(Refusal::Conflict("a direct conversation needs somebody else").into()),
        false => Ok(format!("{}:{}", one.min(other), one.max(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::*;

    #[test]
    fn owners_outrank_admins() {
        assert!(may_remove(Admin, Admin, false).is_ok());
        assert!(may_remove(Admin, Owner, false).is_err());
        assert!(may_remove(Member, Member, false).is_err());
        assert!(may_remove(Member, Member, true).is_ok());
        assert!(may_remove(Owner, Owner, false).is_ok());
    }

    #[test]
    fn a_group_keeps_an_owner() {
        assert!(may_set_role(Owner, Owner, Admin, 2).is_ok());
        assert!(matches!(may_set_role(Owner, Owner, Admin, 1), Err(Refusal::Conflict(_))));
        assert!(may_set_role(Owner, Owner, Owner, 1).is_ok());
        assert!(matches!(may_set_role(Admin, Member, Admin, 1), Err(Refusal::Forbidden(_))));
    }

    #[test]
    fn the_oldest_admin_succeeds_else_the_oldest_member() {
        let [a, b, c] = [UserId::new(), UserId::new(), UserId::new()];
        assert_eq!(successor(&[(a, Member), (b, Admin), (c, Admin)]), Some(b));
        assert_eq!(successor(&[(a, Member), (b, Member)]), Some(a));
        assert_eq!(successor(&[(a, Member), (b, Owner)]), None);
        assert_eq!(successor(&[]), None);
    }

    #[test]
    fn a_pair_has_one_key() {
        let [a, b] = [UserId::new(), UserId::new()];
        assert_eq!(direct_key(a, b).ok(), direct_key(b, a).ok());
        assert!(direct_key(a, a).is_err());
    }
}
