//! An extension that asks another server, and a server that answers as the test wants.

use actix_web::{App, HttpResponse, HttpServer, web};
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, TestRelay};

struct Judged {
    config: JudgeConfig,
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JudgeConfig {
    /// Whom to ask about notes.
    judge: String,
}

impl Extension for Judged {
    const NAME: &'static str = "judged";
    type Config = JudgeConfig;

    async fn build(config: JudgeConfig, host: Host) -> Result<Self, BuildError> {
        Ok(Judged { config, host })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        let patience = std::time::Duration::from_secs(5);
        hooks.admit_async(
            1,
            patience,
            async |me: std::sync::Arc<Self>, request: AdmitRequest| {
                let question = me.host.http_client().post(&me.config.judge);
                let answer = question.body(request.event.json().clone()).send().await?;
                match answer.error_for_status()?.text().await?.as_str() {
                    "fine" => Ok(Admit::Accept),
                    _ => Ok(Reason::blocked("the judge says no").into()),
                }
            },
        );
    }
}

/// A server that answers everything so; its address.
fn serve(status: u16, text: &'static str) -> std::net::SocketAddr {
    let answer = move || async move {
        let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
        HttpResponse::build(status).body(text)
    };
    let app = move || App::new().default_service(web::to(answer));
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").expect("a free port");
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

#[tokio::test]
async fn the_judge_is_heard_and_one_that_fails_lets_nothing_pass() {
    let alice = Author::new(1);
    for (status, text, said) in [
        (200, "fine", None),
        (200, "spam", Some("blocked: the judge says no")),
        (
            503,
            "fine",
            Some("error: the relay could not do this now; try again later"),
        ),
    ] {
        let judge = serve(status, text);
        let table = format!(
            "outbound.allow_private = ['127.0.0.1/32']\n[extensions.judged]\njudge = 'http://{judge}/'"
        );
        let relay = TestRelay::of::<Judged>().config(&table).start().await;
        let verdict = relay.connect().await.publish(&alice.note("hello")).await;
        match said {
            None => verdict.assert_accepted(),
            Some(text) => verdict.assert_refused(text),
        };
        relay.stop().await;
    }
}
