//! The OpenAPI document, from the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Ref, RefOr,
        path::{Operation, PathItem},
        response::Response,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{ProblemBody, auth, conversations, devices, messages, participants, sync, users};

/// What `/openapi.json` and the command line show.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Parley",
        description = "Real-time chat: accounts, conversations, history. Live events come over \
                       the WebSocket at `/ws`, described by `/asyncapi.json`.",
    ),
    paths(
        auth::register, auth::login, auth::refresh, auth::logout, auth::logout_all, auth::ticket,
        users::search, users::me, users::update_me, users::delete_me, users::change_password,
        users::user,
        devices::list, devices::revoke,
        conversations::list, conversations::create, conversations::conversation,
        conversations::rename, conversations::settings,
        participants::list, participants::add, participants::remove, participants::set_role,
        messages::history, messages::send, messages::edit, messages::delete,
        messages::mark_read,
        sync::sync,
    ),
    components(schemas(ProblemBody)),
    security(("bearer" = [])),
    modifiers(&Bearer, &Problems),
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Says of every operation what it may answer beside success, and in which
/// form: what follows from its shape need not be written at each handler.
struct Problems;

impl Modify for Problems {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for item in openapi.paths.paths.values_mut() {
            for operation in operations(item) {
                let shape = [
                    (400, "`invalid_request`: not well formed", true),
                    (401, "`unauthenticated`, `token_expired`, `signed_out`", guarded(operation)),
                    (404, "`not_found`: there is none, or not for you", has_id(operation)),
                    (413, "`payload_too_large`", operation.request_body.is_some()),
                    (415, "`unsupported_media_type`", operation.request_body.is_some()),
                    (422, "`invalid_field`: `field` breaks its rule", true),
                    (429, "`rate_limited`: see `Retry-After`", true),
                    (500, "`internal`", true),
                    (503, "`unavailable`, `outcome_unknown`, `overloaded`, `draining`", true),
                ];
                for (status, description, applies) in shape {
                    if applies {
                        let responses = &mut operation.responses.responses;
                        let description = RefOr::T(Response::new(description));
                        responses.entry(status.to_string()).or_insert(description);
                    }
                }
                for (status, response) in &mut operation.responses.responses {
                    if let RefOr::T(response) = response
                        && matches!(status.as_bytes(), [b'4' | b'5', ..])
                    {
                        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                        let media = "application/problem+json";
                        response.content.insert(media.into(), RefOr::T(problem));
                    }
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Whether an access token is needed: said once for all, and waived at the
/// handlers for strangers.
fn guarded(operation: &Operation) -> bool {
    operation.security.is_none()
}

fn has_id(operation: &Operation) -> bool {
    use utoipa::openapi::path::{Parameter, ParameterIn};
    let in_path = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Path,
        RefOr::Ref(_) => false,
    };
    operation.parameters.iter().flatten().any(in_path)
}
