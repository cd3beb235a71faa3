
"use strict";
(() => {
  const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];

  /** An element with text or elements in it; text is never read as markup. */
  function make(name, attributes, ...content) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
    element.append(...content.filter((part) => part !== undefined && part !== null));
    return element;
  }

  /** Paragraphs; what stands between backticks becomes code. */
  function prose(text) {
    const paragraphs = (text ?? "").split(/\n\s*\n/).filter(Boolean);
    return paragraphs.map((paragraph) =>
      make("p", {}, ...paragraph.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part))));
  }

  function show(api) {
    const follow = (value) => {
      if (!value?.$ref) return value ?? {};
      const path = value.$ref.replace(/^#\//, "").split("/");
      return path.reduce((at, part) => at?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], api) ?? {};
    };
    const nameOf = (value) => value?.$ref?.split("/").pop();
    const here = new URL(".", location.href).href.replace(/\/$/, "");
    const server = (api.servers?.[0]?.url ?? here).replace(/\/$/, "");

    /** A schema in a few words, without its fields. */
    function words(schema) {
      if (schema === true || schema === undefined) return "anything";
      const target = follow(schema);
      if (target.const !== undefined) return JSON.stringify(target.const);
      if (target.enum) return target.enum.map((value) => JSON.stringify(value)).join(" | ");
      const choices = target.anyOf ?? target.oneOf;
      if (choices) return [...new Set(choices.map(words))].join(" | ");
      if (target.allOf) return target.allOf.map(words).join(" & ");
      const types = [target.type ?? (target.properties ? "object" : "anything")].flat();
      return types.map((type) => {
        if (type === "array") return target.prefixItems
          ? "[" + target.prefixItems.map(words).join(", ") + "]" : words(target.items) + "[]";
        if (type === "object") return nameOf(schema) ?? "object";
        return type + (target.format ? ` (${target.format})` : "");
      }).join(" | ");
    }

    /** Bounds, defaults and patterns. */
    function bounds(schema) {
      const target = follow(schema);
      const said = [];
      const say = (key, text) => target[key] !== undefined && said.push(text(target[key]));
      say("default", (value) => `default ${JSON.stringify(value)}`);
      say("minimum", (value) => `at least ${value}`);
      say("maximum", (value) => `at most ${value}`);
      say("minLength", (value) => `at least ${value} characters`);
      say("maxLength", (value) => `at most ${value} characters`);
      say("minItems", (value) => `at least ${value} items`);
      say("maxItems", (value) => `at most ${value} items`);
      say("pattern", (value) => `pattern ${value}`);
      return said.join(", ");
    }

    /** A schema written out, fields and all; `open` are the names it is inside of. */
    function writeOut(into, schema, indent, open) {
      const target = follow(schema);
      const name = nameOf(schema);
      if (name && open.includes(name)) return void into.append(name);
      const inside = name ? [...open, name] : open;
      const choices = target.anyOf ?? target.oneOf ?? target.allOf;
      if (choices) {
        choices.forEach((choice, at) => {
          if (at) into.append(target.allOf ? " & " : " | ");
          writeOut(into, choice, indent, inside);
        });
        return;
      }
      if (target.type === "array" && target.items) {
        writeOut(into, target.items, indent, inside);
        return void into.append("[]");
      }
      const fields = Object.entries(target.properties ?? {});
      const others = target.additionalProperties;
      const hasOthers = others && others !== true && Object.keys(others).length > 0;
      if (!fields.length && !hasOthers) return void into.append(words(schema));
      const inner = indent + "  ";
      into.append("{\n");
      const required = target.required ?? [];
      for (const [field, value] of fields) {
        into.append(inner + field + (required.includes(field) ? ": " : "?: "));
        writeOut(into, value, inner, inside);
        const note = [value.description ?? "", bounds(value)].filter(Boolean).join(" – ").replace(/\s+/g, " ");
        if (note) into.append(make("span", { class: "note" }, "  // " + note));
        into.append("\n");
      }
      if (hasOthers) {
        into.append(inner + "[name]: ");
        writeOut(into, others, inner, inside);
        into.append("\n");
      }
      into.append(indent + "}");
    }

    function schemaBlock(schema) {
      const block = make("pre", { tabindex: "0" });
      writeOut(block, schema, "", []);
      return block;
    }

    /** A value that fits a schema, for the curl line. */
    function example(schema, depth = 0) {
      const target = follow(schema);
      if (target.examples?.length) return target.examples[0];
      if (target.const !== undefined) return target.const;
      if (target.default !== undefined) return target.default;
      if (target.enum) return target.enum[0];
      const choice = (target.anyOf ?? target.oneOf ?? target.allOf)?.[0];
      if (choice) return example(choice, depth);
      const type = [target.type].flat()[0];
      if (type === "object" || target.properties) {
        const fields = Object.entries(target.properties ?? {});
        const wanted = fields.filter(([field]) => depth < 4 && (target.required ?? []).includes(field));
        return Object.fromEntries(wanted.map(([field, value]) => [field, example(value, depth + 1)]));
      }
      if (type === "array") return depth < 4 && target.items ? [example(target.items, depth + 1)] : [];
      if (type === "integer" || type === "number") return target.minimum ?? 0;
      if (type === "boolean") return true;
      return type === "string" ? "text" : null;
    }

    const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

    function curl(method, path, operation) {
      const query = (operation.parameters ?? []).map(follow).filter((it) => it.in === "query" && it.required);
      const search = query.map((it) => `${it.name}=${encodeURIComponent(String(example(it.schema)))}`).join("&");
      const parts = ["curl"];
      if (method === "head") parts.push("--head");
      else if (method !== "get") parts.push("-X", method.toUpperCase());
      parts.push(quote(server + path + (search ? "?" + search : "")));
      const way = (operation.security ?? []).flatMap(Object.keys)[0];
      if (way === "nip98") parts.push("-H", quote("Authorization: Nostr BASE64_OF_A_SIGNED_EVENT"));
      if (way === "bearer") parts.push("-H", quote("Authorization: Bearer TOKEN"));
      const [kind, body] = Object.entries(follow(operation.requestBody).content ?? {})[0] ?? [];
      if (kind) {
        parts.push("-H", quote("Content-Type: " + kind));
        if (kind.includes("json")) parts.push("-d", quote(JSON.stringify(example(body.schema))));
        else parts.push("--data-binary", "@FILE");
      }
      return parts.join(" ");
    }

    function contentBlocks(content) {
      return Object.entries(content ?? {}).flatMap(([kind, media]) => {
        const isPlain = !media.schema || Object.keys(media.schema).length === 0;
        return isPlain ? [make("p", {}, make("code", {}, kind))]
          : [make("p", { class: "dim" }, make("code", {}, kind)), schemaBlock(media.schema)];
      });
    }

    function operationBlock(path, method, operation) {
      const ways = (operation.security ?? []).map((way) => Object.keys(way)[0] ?? "open");
      const head = make("summary", {},
        make("span", { class: "method " + method }, method.toUpperCase()),
        make("span", { class: "path" }, path),
        ways.length ? make("span", { class: "lock" }, ways.join(" or ")) : undefined,
        make("span", { class: "what" }, operation.summary ?? ""));
      const body = make("div", {}, ...prose(operation.description));
      const parameters = (operation.parameters ?? []).map(follow);
      if (parameters.length) {
        body.append(make("h3", {}, "Parameters"), make("dl", {}, ...parameters.flatMap((it) => {
          const where = `${it.in}${it.required ? ", required" : ""}`;
          const more = [words(it.schema), bounds(it.schema)].filter(Boolean).join(", ");
          return [make("dt", {}, make("code", {}, it.name), make("span", { class: "dim" }, " " + where)),
            make("dd", {}, more, make("br"), make("span", { class: "dim" }, it.description ?? ""))];
        })));
      }
      const wanted = follow(operation.requestBody);
      if (wanted.content) {
        body.append(make("h3", {}, wanted.required ? "Body" : "Body, optional"), ...contentBlocks(wanted.content));
      }
      body.append(make("h3", {}, "Answers"));
      for (const [code, answer] of Object.entries(operation.responses ?? {})) {
        const target = follow(answer);
        const isOther = code === "default";
        body.append(make("p", {}, make("code", {}, isOther ? "otherwise" : code), " " + target.description),
          ...(isOther ? [] : contentBlocks(target.content)));
      }
      body.append(make("h3", {}, "Try it"), make("pre", { class: "wrap" }, curl(method, path, operation)),
        make("p", {}, make("a", { href: "#" + operation.operationId }, "Link to this route")));
      const block = make("details", { id: operation.operationId ?? "" }, head, body);
      block.dataset.words = [method, path, operation.summary, ...(operation.tags ?? [])].join(" ").toLowerCase();
      return block;
    }

    const page = document.getElementById("page");
    document.title = `${api.info.title} – HTTP API`;
    const sections = (api.tags ?? []).map((tag) => {
      const section = make("section", { id: "tag-" + tag.name }, make("h2", {}, tag.name), ...prose(tag.description));
      for (const [path, operations] of Object.entries(api.paths)) {
        for (const method of METHODS) {
          const operation = operations[method];
          if (operation?.tags?.includes(tag.name)) section.append(operationBlock(path, method, operation));
        }
      }
      return section;
    });
    const filter = make("input", { type: "search", placeholder: "Filter", "aria-label": "Filter routes" });
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const section of sections) {
        const blocks = [...section.querySelectorAll("details")];
        for (const block of blocks) block.hidden = !wanted.every((word) => block.dataset.words.includes(word));
        section.hidden = wanted.length > 0 && blocks.every((block) => block.hidden);
      }
    });
    const ways = Object.entries(api.components?.securitySchemes ?? {});
    page.replaceChildren(
      make("h1", {}, api.info.title), make("p", { class: "dim" }, `HTTP API, version ${api.info.version}`),
      ...prose(api.info.description),
      make("p", {}, "At ", make("code", {}, server), ", described in ", make("a", { href: "openapi.json" }, "openapi.json"), "."),
      make("nav", { "aria-label": "Groups" }, ...sections.map((section) =>
        make("a", { href: "#" + section.id }, section.querySelector("h2").textContent))),
      filter, ...sections,
      make("section", { id: "conventions" }, make("h2", {}, "Errors and authorization"),
        make("p", {}, "Every error is JSON:"), schemaBlock({ $ref: "#/components/schemas/Error" }),
        make("dl", {}, ...ways.flatMap(([name, way]) =>
          [make("dt", {}, make("code", {}, name)), make("dd", {}, ...prose(way.description))]))));
    const goTo = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target?.tagName === "DETAILS") target.open = true;
      target?.scrollIntoView();
    };
    addEventListener("hashchange", goTo);
    goTo();
  }

  fetch("openapi.json").then((answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }).then(show).catch((error) => {
    document.getElementById("page").replaceChildren(make("p", {}, `openapi.json cannot be read: ${error.message}`));
  });
})();
