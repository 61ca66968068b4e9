// The app of main.go with node's pg and named statements: the same words on
// stdout, the same signals. Usage: node app.js QUERIES USERS
const { Pool } = require("pg")

const workers = 8
const statements = 12
const queries = Number(process.argv[2])
const users = Number(process.argv[3])
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: workers })

let asked = 0
let answered = 0
let stopping = false
process.on("SIGTERM", () => { stopping = true })
pool.on("error", (err) => console.log("bad: idle session: " + err.message))

async function check(k, id) {
  const text = `select id, name, ${k} as v from users where id = $1`
  try {
    const { rows } = await pool.query({ name: "s" + k, text, values: [id] })
    const ok = rows.length === 1 && rows[0].id === id && rows[0].name === "user-" + id && rows[0].v === k
    if (!ok) console.log("bad: wrong row")
  } catch (err) {
    console.log("bad: " + (err.code || err.message))
  }
}

async function worker() {
  while (!stopping) {
    const n = ++asked
    await check(n % statements, 1 + (n * 7919) % users)
    if (++answered === queries) console.log("done")
  }
}

async function main() {
  await Promise.all(Array.from({ length: workers }, worker))
  await pool.end()
  console.log("stopped")
}

main()
