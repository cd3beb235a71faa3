//! Rows of extensions, by those of groups.

use crate::ground::{Place, until_backed_up, until_snapshot};
use trellis_test_support::{Author, Client, json, wait};

#[tokio::test]
async fn d4_rows_of_extensions_come_back_and_their_hooks_go_on() {
    let place = Place::directory();
    let table = "[extensions.groups]";
    let relay = place.relay(table).start().await;
    let (admin, member, second) = (Author::new(), Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    client.login(&admin).await;
    let draft = |kind: u16| admin.draft(kind).tag(&["h", "pizza"]);
    client.store(&draft(9007).sign()).await;
    let edit = draft(9002).tag(&["closed"]).tag(&["restricted"]);
    client.store(&edit.sign()).await;
    client
        .store(&draft(9000).tag(&["p", &member.pubkey()]).sign())
        .await;
    until_members(&mut client, 2).await;
    until_snapshot(&relay).await;
    until_backed_up(&relay).await;
    let data = relay.setup().home().join("data/relay.key");
    let key = std::fs::read(data).expect("the relay's key");
    relay.kill();

    let setup = place.relay(table);
    std::fs::create_dir_all(setup.home().join("data")).expect("a directory");
    std::fs::write(setup.home().join("data/relay.key"), key).expect("the relay's key");
    let relay = setup.start().await;
    let config = relay.setup().config_file().display().to_string();
    let checked = relay.setup().run(&["groups", "check", "-c", &config]).await;
    let text = &checked.assert_success().stdout;
    assert!(text.contains("what follows from their events"), "{text}");
    let mut client = Client::connect(&relay).await;
    client.login(&member).await;
    // Who was a member is one, and a stranger is none.
    client
        .store(&member.draft(9).tag(&["h", "pizza"]).content("hi").sign())
        .await;
    let mut stranger = Client::connect(&relay).await;
    stranger.login(&second).await;
    let refused = second.draft(9).tag(&["h", "pizza"]).content("hi").sign();
    assert!(!stranger.publish(&refused).await.accepted);
    client.login(&admin).await;
    client
        .store(&draft(9000).tag(&["p", &second.pubkey()]).sign())
        .await;
    until_members(&mut client, 3).await;
}

async fn until_members(client: &mut Client, count: usize) {
    wait::until("the list of members", async || {
        let filter = json!({"kinds": [39002], "#d": ["pizza"]});
        let found = client.query(filter).await;
        let tags = found.first().map(|event| event.tags.len());
        (tags == Some(count + 1)).then_some(())
    })
    .await;
}
