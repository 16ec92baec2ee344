//! Who may do what.

use parley::model::*;
use serde_json::json;

use crate::support::{
    client::Person,
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    admins_and_owners_manage_a_group,
    only_owners_give_roles,
    messages_are_edited_by_their_sender_and_deleted_by_who_may,
    changing_nothing_is_a_duplicate,
    a_direct_conversation_stays_as_it_is,
    the_last_owner_who_leaves_hands_over,
    the_last_one_may_leave,
];

/// A group with an owner, an admin and two members.
struct Group {
    cluster: Cluster,
    id: ConversationId,
    owner: Person,
    admin: Person,
    member: Person,
    other: Person,
}

impl Group {
    async fn new(database: Database) -> Self {
        let cluster = Cluster::start(database, 1).await;
        let owner = cluster.register("owner").await;
        let admin = cluster.register("admin").await;
        let member = cluster.register("member").await;
        let other = cluster.register("other").await;
        let id = owner.group("Group", &[&admin, &member, &other]).await.id;
        let path = format!("/conversations/{id}/participants/{}", admin.id());
        let promoted = owner.patch(&path, json!({ "role": "admin" })).await;
        assert_eq!(promoted.status.as_u16(), 204);
        Self { cluster, id, owner, admin, member, other }
    }

    fn path(&self, rest: &str) -> String {
        format!("/conversations/{}{rest}", self.id)
    }

    fn participant(&self, person: &Person) -> String {
        self.path(&format!("/participants/{}", person.id()))
    }

    async fn role(&self, of: &Person) -> Role {
        of.conversation(self.id).await.role
    }
}

async fn admins_and_owners_manage_a_group(database: Database) {
    let group = Group::new(database).await;
    let new = group.cluster.register("new").await;
    let title = json!({ "title": "Renamed" });
    let user = json!({ "user_ids": [new.id()] });
    let refused = group.member.patch(&group.path(""), title.clone()).await;
    assert_eq!(refused.refused(403), "forbidden");
    let refused = group.member.post(&group.path("/participants"), user.clone()).await;
    assert_eq!(refused.refused(403), "forbidden");
    for manager in [&group.admin, &group.owner] {
        manager.patch(&group.path(""), title.clone()).await.ok::<Conversation>();
        manager.post(&group.path("/participants"), user.clone()).await.ok::<Conversation>();
        let refused = group.member.delete(&group.participant(&new)).await;
        assert_eq!(refused.refused(403), "forbidden");
        assert_eq!(manager.delete(&group.participant(&new)).await.status.as_u16(), 204);
        assert_eq!(manager.delete(&group.participant(&new)).await.refused(404), "not_found");
    }
    assert_eq!(
        group.admin.delete(&group.participant(&group.owner)).await.refused(403),
        "forbidden"
    );
    let unknown = json!({ "user_ids": [UserId::new()] });
    let refused = group.owner.post(&group.path("/participants"), unknown).await;
    assert_eq!(refused.refused(422), "invalid_field");
    let none = json!({ "user_ids": [] });
    assert_eq!(
        group.owner.post(&group.path("/participants"), none).await.refused(422),
        "invalid_field"
    );
}

async fn only_owners_give_roles(database: Database) {
    let group = Group::new(database).await;
    let admin = json!({ "role": "admin" });
    for person in [&group.member, &group.admin] {
        for target in [&group.other, person] {
            let refused =
                person.patch(&group.participant(target), json!({ "role": "owner" })).await;
            assert_eq!(refused.refused(403), "forbidden");
        }
    }
    let promoted = group.owner.patch(&group.participant(&group.other), admin.clone()).await;
    assert_eq!((promoted.status.as_u16(), group.role(&group.other).await), (204, Role::Admin));
    // A group keeps an owner.
    let down = group.owner.patch(&group.participant(&group.owner), admin.clone()).await;
    assert_eq!(down.refused(409), "conflict");
    let second = json!({ "role": "owner" });
    let second = group.owner.patch(&group.participant(&group.admin), second).await;
    assert_eq!(second.status.as_u16(), 204);
    let down = group.owner.patch(&group.participant(&group.owner), admin.clone()).await;
    assert_eq!((down.status.as_u16(), group.role(&group.owner).await), (204, Role::Admin));
    let stranger = format!("/participants/{}", UserId::new());
    assert_eq!(group.admin.patch(&group.path(&stranger), admin).await.refused(404), "not_found");
    let nonsense = json!({ "role": "emperor" });
    let refused = group.admin.patch(&group.participant(&group.other), nonsense).await;
    assert_eq!(refused.refused(400), "invalid_request");
}

async fn messages_are_edited_by_their_sender_and_deleted_by_who_may(database: Database) {
    let group = Group::new(database).await;
    let message = |seq: Seq| group.path(&format!("/messages/{seq}"));
    let edit = json!({ "body": "changed" });
    let said = group.member.say(group.id, "mine").await.seq;
    for person in [&group.other, &group.admin, &group.owner] {
        let refused = person.patch(&message(said), edit.clone()).await;
        assert_eq!(refused.refused(403), "forbidden");
    }
    group.member.patch(&message(said), edit.clone()).await.ok::<ChangeAck>();
    assert_eq!(group.other.delete(&message(said)).await.refused(403), "forbidden");
    for person in [&group.member, &group.admin, &group.owner] {
        let said = group.member.say(group.id, "mine").await.seq;
        let deleted: ChangeAck = person.delete(&message(said)).await.ok();
        assert!(!deleted.duplicate);
        let refused = group.member.patch(&message(said), edit.clone()).await;
        assert_eq!(refused.refused(409), "conflict");
    }
    // What the system notes stays; what does not exist cannot be changed.
    for person in [&group.member, &group.owner] {
        assert_eq!(person.patch(&message(1), edit.clone()).await.refused(403), "forbidden");
        assert_eq!(person.delete(&message(1)).await.refused(403), "forbidden");
        for seq in [0, -1, 10_000, i64::MAX] {
            assert_eq!(person.patch(&message(seq), edit.clone()).await.refused(404), "not_found");
            assert_eq!(person.delete(&message(seq)).await.refused(404), "not_found");
        }
    }
    // The place of a change in the log is not a message.
    let change = group.owner.conversation(group.id).await.last_seq;
    assert_eq!(group.owner.delete(&message(change)).await.refused(404), "not_found");
}

async fn changing_nothing_is_a_duplicate(database: Database) {
    let group = Group::new(database).await;
    let said = group.member.say(group.id, "same").await.seq;
    let path = group.path(&format!("/messages/{said}"));
    let before = group.owner.conversation(group.id).await.last_seq;
    let same: ChangeAck = group.member.patch(&path, json!({ "body": "same" })).await.ok();
    assert!(same.duplicate);
    assert_eq!(group.owner.conversation(group.id).await.last_seq, before);
    for duplicate in [false, true, true] {
        let deleted: ChangeAck = group.member.delete(&path).await.ok();
        assert_eq!(deleted.duplicate, duplicate);
    }
    assert_eq!(group.owner.conversation(group.id).await.last_seq, before + 1);
    // A title, a role and a member that are so already.
    group.owner.patch(&group.path(""), json!({ "title": "Group" })).await.ok::<Conversation>();
    group.owner.patch(&group.participant(&group.admin), json!({ "role": "admin" })).await;
    let again = json!({ "user_ids": [group.other.id()] });
    group.owner.post(&group.path("/participants"), again).await.ok::<Conversation>();
    assert_eq!(group.owner.conversation(group.id).await.last_seq, before + 1);
}

async fn a_direct_conversation_stays_as_it_is(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    let before = ada.direct(&bo).await;
    let path = format!("/conversations/{}", before.id);
    let people = format!("{path}/participants");
    for person in [&ada, &bo] {
        let title = person.patch(&path, json!({ "title": "Us" })).await;
        assert_eq!(title.refused(403), "forbidden");
        let added = person.post(&people, json!({ "user_ids": [cy.id()] })).await;
        assert_eq!(added.refused(403), "forbidden");
        for target in [&ada, &bo] {
            let target = format!("{people}/{}", target.id());
            assert_eq!(person.delete(&target).await.refused(403), "forbidden");
            let role = person.patch(&target, json!({ "role": "admin" })).await;
            assert_eq!(role.refused(403), "forbidden");
        }
    }
    assert_eq!(ada.conversation(before.id).await, before);
}

async fn the_last_owner_who_leaves_hands_over(database: Database) {
    let group = Group::new(database).await;
    let leave = async |person: &Person| {
        assert_eq!(person.delete(&group.participant(person)).await.status.as_u16(), 204);
    };
    leave(&group.owner).await;
    assert_eq!(group.role(&group.admin).await, Role::Owner);
    // No admin is left: of two members who joined together, the one first made.
    leave(&group.admin).await;
    let roles = [group.role(&group.member).await, group.role(&group.other).await];
    assert_eq!(roles, [Role::Owner, Role::Member]);
    let history: History = group.member.get(&group.path("/messages")).await.ok();
    let told = history.messages.iter().filter_map(|m| m.system.clone());
    let heirs: Vec<_> = told
        .filter_map(|event| match event {
            SystemEvent::RoleChanged { user_id, role: Role::Owner } => Some(user_id),
            _ => None,
        })
        .collect();
    assert_eq!(heirs, [group.admin.id(), group.member.id()]);
}

async fn the_last_one_may_leave(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let id = ada.group("Alone", &[]).await.id;
    let path = format!("/conversations/{id}/participants/{}", ada.id());
    assert_eq!(ada.delete(&path).await.status.as_u16(), 204);
    assert_eq!(ada.get(&format!("/conversations/{id}")).await.refused(404), "not_found");
    assert!(ada.get("/conversations").await.ok::<Page<Conversation>>().items.is_empty());
}
