//! E8: what is compiled in and what its tables may hold can be asked for.

use trellis_test_support::{Author, Front, Setup, Value, json, trellis};

fn setup() -> Setup {
    trellis!().front(Front::Server)
}

fn members_only() -> String {
    format!(
        "[extensions.members_only]\nmembers = [\"{}\"]\nprivate = [445]\nmessage = \"join\"",
        Author::new().pubkey()
    )
}

#[tokio::test]
async fn e8_the_list_shows_what_is_compiled_in_and_off() {
    let setup = setup();
    let listed = setup.run(&["extensions", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.assert_success().stdout).expect("JSON");
    assert_eq!(listed[0]["name"], "members_only");
    assert_eq!(listed[0]["on"], false);
    assert_eq!(listed[0]["hooks"], json!([]));
    let text = setup.run(&["extensions", "list"]).await;
    assert!(text.assert_success().stdout.contains("members_only"));
    assert!(text.stdout.contains("(off)"), "{}", text.stdout);
}

#[tokio::test]
async fn e8_the_list_shows_hooks_in_order_with_kinds() {
    let setup = setup().config(&members_only());
    let file = setup.config_file().display().to_string();
    let text = setup.run(&["extensions", "list", "-c", &file]).await;
    let text = &text.assert_success().stdout;
    assert!(text.contains("(on)"), "{text}");
    let order = ["admit", "request", "deliver"].map(|hook| text.find(hook).expect(hook));
    assert!(order.is_sorted(), "{text}");
    let json = setup
        .run(&["extensions", "list", "--json", "-c", &file])
        .await;
    let json: Value = serde_json::from_str(&json.assert_success().stdout).expect("JSON");
    let deliver = json[0]["hooks"]
        .as_array()
        .and_then(|hooks| hooks.iter().find(|hook| hook["hook"] == "deliver"))
        .expect("a deliver hook");
    assert_eq!(deliver["phase"], "policy");
    assert!(
        deliver["kinds"]
            .as_str()
            .is_some_and(|kinds| kinds.contains("445")),
        "{deliver}"
    );
}

#[tokio::test]
async fn e8_the_list_refuses_a_wrong_table() {
    let setup = setup().config(&members_only().replace("members =", "membres ="));
    let file = setup.config_file().display().to_string();
    let listed = setup.run(&["extensions", "list", "-c", &file]).await;
    listed.assert_failure(&["membres", "members"]);
    assert_eq!(listed.code, Some(2));
}

#[tokio::test]
async fn e8_the_schema_holds_every_table_of_core_and_extensions() {
    let schema = setup().run(&["config", "schema"]).await;
    let schema: Value = serde_json::from_str(&schema.assert_success().stdout).expect("JSON");
    let path = &schema["properties"]["data"]["properties"]["path"];
    assert!(path["description"].is_string(), "{path}");
    let own = &schema["properties"]["extensions"]["properties"]["members_only"];
    assert!(own["properties"]["members"].is_object(), "{own}");
    // What the core reads of an extension's table belongs to it as well.
    assert!(own["properties"]["enabled"].is_object(), "{own}");
}
