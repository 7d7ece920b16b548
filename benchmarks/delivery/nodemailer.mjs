// nodemailer with its pool: node nodemailer.mjs PORT COUNT FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [port, count, folder, modules] = process.argv.slice(2);
const nodemailer = createRequire(modules + "/")("nodemailer");
const names = ["Maria", "Zoë", "O’Brien", "Wei", "Anna-Lena"];
const cities = ["Los Angeles", "Ávila", "Bath", "Łódź"];
const [subject, text, html] = ["subject", "text", "html"].map((name) =>
  readFileSync(`${folder}/${name}`, "utf8").split(/\{\{ (\w+) \}\}/),
);
const fill = (template, values) =>
  template.map((piece, index) => (index % 2 ? values[piece] : piece)).join("");
const escaped = (values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`),
    ]),
  );
const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  pool: true,
  maxConnections: 8,
  maxMessages: Infinity,
  ignoreTLS: true,
});
let next = 0;
async function worker() {
  while (next < Number(count)) {
    const number = next++;
    const values = {
      email: `reader${number}@d${number % 500}.example`,
      first_name: names[number % names.length],
      last_name: `Tester ${number % 977}`,
      city: cities[number % cities.length],
      unsubscribe_token: number.toString(16).padStart(32, "0"),
    };
    await transport.sendMail({
      from: "newsletter@clinic.example",
      to: values.email,
      subject: fill(subject, values),
      text: fill(text, values),
      html: fill(html, escaped(values)),
      textEncoding: "quoted-printable",
      headers: {
        "List-Unsubscribe": `<https://clinic.example/u/${values.unsubscribe_token}>`,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<newsletter.clinic.example>",
      },
    });
  }
}
await Promise.all(Array.from({ length: 16 }, worker));
transport.close();
