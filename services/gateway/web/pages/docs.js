"use strict";
// Draws /openapi.json: every route with what it takes, answers and refuses with, and a form to try it out; or, where
// the page says so, /asyncapi.json: every message and call with its data.

let doc;

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Text with its `names` set as code, as the docstrings mark them.
function prose(text) {
  return String(text || "").split(/`+([^`]+)`+/).map((part, index) => index % 2 ? make("code", {}, part) : part);
}

function resolved(schema) {
  let found = schema || {};
  for (let hops = 0; found.$ref && hops < 10; hops++) {
    found = found.$ref.slice(2).split("/").reduce((node, part) => node[part], doc);
  }
  return found;
}

function typeOf(schema) {
  const found = resolved(schema);
  if (found.allOf) return found.allOf.map(typeOf).join(" and ");
  if (found.anyOf || found.oneOf) return (found.anyOf || found.oneOf).map(typeOf).join(" or ");
  if (found.type === "array") return "list of " + typeOf(found.items);
  return [].concat(found.type || "any").join(" or ") + (found.format ? ` (${found.format})` : "");
}

function bounds(schema) {
  const found = resolved(schema);
  const texts = [];
  if (found.minimum !== undefined || found.maximum !== undefined) texts.push(`${found.minimum ?? "…"} to ${found.maximum ?? "…"}`);
  if (found.minLength !== undefined || found.maxLength !== undefined) texts.push(`${found.minLength ?? 0} to ${found.maxLength ?? "…"} characters`);
  if (found.pattern) texts.push(found.pattern);
  if (found.enum) texts.push(found.enum.slice(0, 24).map(String).join(", ") + (found.enum.length > 24 ? ", …" : ""));
  return texts.join(" · ");
}

function fieldsTable(schema, depth) {
  const found = resolved(schema);
  if (found.type === "array") return fieldsTable(found.items, depth);
  if (found.anyOf || found.oneOf) {
    const object = (found.anyOf || found.oneOf).map(resolved).find((one) => one.properties);
    return object ? fieldsTable(object, depth) : null;
  }
  if (!found.properties || depth > 5) return null;
  const rows = Object.entries(found.properties).map(([name, field]) => {
    const needed = (found.required || []).includes(name);
    const inner = fieldsTable(field, depth + 1);
    const about = [resolved(field).description || field.description || "", bounds(field)].filter(Boolean).join(" · ");
    return make("tr", {}, make("td", {}, make("code", {}, name), needed ? "" : " ?"), make("td", {}, typeOf(field)),
      make("td", {}, ...prose(about), inner ? make("div", { class: "nested" }, inner) : null));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

function parametersTable(parameters) {
  if (!parameters.length) return null;
  const rows = parameters.map((one) => make("tr", {},
    make("td", {}, make("code", {}, one.name), one.required ? "" : " ?"), make("td", {}, one.in),
    make("td", {}, typeOf(one.schema), " ", ...prose([one.description || "", bounds(one.schema)].filter(Boolean).join(" · ")))));
  return make("div", {}, make("h4", {}, "Parameters"), make("table", {}, make("tbody", {}, ...rows)));
}

function bodyOf(operation) {
  const content = operation.requestBody && operation.requestBody.content;
  return content ? Object.values(content)[0].schema : null;
}

function codesOf(response) {
  return Object.values(response.content || {})
    .flatMap((content) => (content.schema && content.schema.allOf) || [])
    .flatMap((part) => (part.properties && part.properties.code && part.properties.code.enum) || []);
}

function responsesTable(operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const cell = make("td", {});
    const codes = codesOf(response);
    if (codes.length) {
      codes.forEach((code, index) => cell.append(index ? ", " : "", make("a", { href: `/problems/${code}` }, code)));
    } else {
      const [media, content] = Object.entries(response.content || {})[0] || [];
      cell.append(...prose(response.description), media ? ` · ${media}` : "");
      const table = content && fieldsTable(content.schema, 0);
      if (table) cell.append(table);
    }
    return make("tr", {}, make("td", {}, make("code", {}, status)), cell);
  });
  return make("div", {}, make("h4", {}, "Answers"), make("table", {}, make("tbody", {}, ...rows)));
}

function sample(schema, depth) {
  const found = resolved(schema);
  if (found.enum) return found.enum[0];
  if (found.properties && depth < 4) {
    const needed = Object.entries(found.properties).filter(([name]) => (found.required || []).includes(name));
    return Object.fromEntries(needed.map(([name, field]) => [name, sample(field, depth + 1)]));
  }
  const type = [].concat(found.type || "string")[0];
  if (type === "array") return [];
  if (type === "integer" || type === "number") return found.minimum || 0;
  if (type === "boolean") return false;
  return { date: "2021-11-15", "date-time": "2021-11-15T20:00:00Z", email: "someone@example.org" }[found.format] || "";
}

function tryForm(path, method, operation, parameters) {
  const inputs = parameters.map((one) => {
    const input = make("input", { name: one.name });
    if (one.name === "Idempotency-Key") input.value = crypto.randomUUID ? crypto.randomUUID() : String(Date.now());
    return [one, input];
  });
  const schema = bodyOf(operation);
  const body = schema ? make("textarea", { spellcheck: "false", "aria-label": "Body" }) : null;
  if (body) body.value = JSON.stringify(sample(schema, 0), null, 2);
  const answer = make("pre", { hidden: "" });
  const send = make("button", { type: "button" }, "Send");
  send.addEventListener("click", async () => {
    const query = new URLSearchParams();
    const headers = {};
    let address = path;
    for (const [one, input] of inputs) {
      if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(input.value));
      else if (one.in === "query" && input.value !== "") query.set(one.name, input.value);
      else if (one.in === "header" && input.value !== "") headers[one.name] = input.value;
    }
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    if ([...query].length) address += `?${query}`;
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const response = await fetch(address, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
      answer.textContent = `${response.status} ${response.statusText}\n\n${shown.slice(0, 20000)}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  const labels = inputs.map(([one, input]) => make("label", {}, make("code", {}, one.name), " ", input));
  return make("details", { class: "try" }, make("summary", {}, "Try it out"), ...labels, body, make("p", {}, send), answer);
}

function drawOperation(path, method, operation, shared) {
  const parameters = [...shared, ...(operation.parameters || [])].map(resolved);
  const content = make("div", {});
  const role = operation["x-role"] || ((operation.security || []).length ? "signed in" : "anyone");
  const details = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path),
      make("span", { class: "role" }, role), make("span", { class: "summary" }, ...prose(operation.summary))), content);
  details.addEventListener("toggle", () => {
    if (!details.open || content.childElementCount) return;
    const body = bodyOf(operation);
    const table = body ? fieldsTable(body, 0) : null;
    content.append(...[operation.description ? make("p", {}, ...prose(operation.description)) : null, parametersTable(parameters),
      table ? make("div", {}, make("h4", {}, "Body"), table) : null, responsesTable(operation),
      tryForm(path, method, operation, parameters)].filter(Boolean));
  });
  details.dataset.text = [method, path, operation.summary, operation.description, role,
    ...Object.values(operation.responses).flatMap(codesOf)].join(" ").toLowerCase();
  return details;
}

function draw() {
  const main = document.getElementById("operations");
  const contents = document.getElementById("contents");
  const sections = new Map();
  for (const tag of doc.tags || []) {
    const id = "tag-" + tag.name.toLowerCase().replace(/\W+/g, "-");
    const section = make("section", { id }, make("h2", {}, tag.name), make("p", {}, ...prose(tag.description)));
    sections.set(tag.name, section);
    contents.append(make("a", { href: "#" + id }, tag.name));
    main.append(section);
  }
  for (const [path, operations] of Object.entries(doc.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (!operation.responses) continue;
      sections.get(operation.tags[0]).append(drawOperation(path, method, operation, operations.parameters || []));
    }
  }
}

function drawMessage(key, message) {
  const content = make("div", {});
  const details = make("details", { class: "operation", id: key },
    make("summary", {}, make("code", {}, key), make("span", { class: "summary" }, ...prose(message.summary))), content);
  details.addEventListener("toggle", () => {
    if (!details.open || content.childElementCount) return;
    const payload = message.payload.items || message.payload;
    const [envelope, own] = payload.allOf ? payload.allOf.map(resolved) : [resolved(payload), null];
    const data = own && fieldsTable(own.properties.data, 0);
    const parts = [message.description ? make("p", {}, ...prose(message.description)) : null,
      own ? make("h4", {}, "Data") : null, own && (data && data.rows.length ? data : make("p", {}, "None.")),
      make("details", own ? {} : { open: "" }, make("summary", {}, "The envelope"),
        make("p", {}, ...prose(envelope.description)), fieldsTable(envelope, 0))];
    content.append(...parts.filter(Boolean));
    for (const example of message.examples || []) {
      content.append(make("h4", {}, example.name), make("pre", {}, JSON.stringify(example.payload, null, 2)));
    }
  });
  details.dataset.text = [key, message.summary, message.description].join(" ").toLowerCase();
  return details;
}

function drawMessages() {
  const main = document.getElementById("operations");
  main.append(...doc.info.description.split("\n\n").map((text) => make("p", {}, ...prose(text))));
  for (const [id, channel] of Object.entries(doc.channels)) {
    const { exchange, queue } = channel.bindings ? channel.bindings.amqp : {};
    const address = exchange || queue;
    document.getElementById("contents").append(make("a", { href: "#" + id }, channel.title));
    main.append(make("section", { id }, make("h2", {}, channel.title),
      address ? make("p", {}, exchange ? "Exchange " : "Queue ", make("code", {}, address.name))
        : make("p", {}, ...prose(channel.description)),
      ...Object.entries(channel.messages).map(([key, message]) => drawMessage(key, resolved(message)))));
  }
}

function find(event) {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const details of document.querySelectorAll("details.operation")) {
    details.hidden = !words.every((word) => details.dataset.text.includes(word));
  }
}

async function start() {
  const response = await fetch(document.body.dataset.document);
  doc = await response.json();
  if (doc.asyncapi) drawMessages();
  else draw();
  document.getElementById("find").addEventListener("input", find);
  if (location.hash) {
    const target = document.getElementById(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  }
}

start();
