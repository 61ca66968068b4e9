package session

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFingerprint(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1": "select ?",
		"  select\n\t a -- secret\n from t /* s /* x */ */ ;":      "select a from t ;",
		"select 'it''s', E'a\\nb', b'1', U&'x', $$s$$, $a$ $$ $a$": "select ?",
		"select * from t where a in (1, 2,3 , 4) and b = $2":       "select * from t where a in (? , ?) and b = $2",
		`select "User"."id" from "public"."User"`:                  `select "User"."id" from "public"."User"`,
		`select "a 'secret' b"`:                                    `select "?"`,
		"select 'secret":                                           "select ?",
		"select $q$ secret":                                        "select ?",
		"select /* secret":                                         "select ?",
		`select 'a\' or secret`:                                    "select ?",
		`select 'a\', 'secret'`:                                    "select ?",
		"select 1.5e10, 0xff, -3":                                  "select ?, -?",
		"select 1$a$secret$a$":                                     "select ?",
		"select \x1b[31m":                                          "select ?[?",
		"select caf\xc3\xa9, \xff":                                 "select café, ?",
		"":                                                         "",
	} {
		if got := Fingerprint(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
	if got := Fingerprint("select " + strings.Repeat("é", 300)); len(got) > maxFingerprint || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// secret is what no fingerprint may hold; it is written into every kind of constant.
const secret = "s3cr3t"

// pieces are what a statement is made of. Each kind of constant holds the secret.
var pieces = []string{
	"select ", "from t ", ", ", "(", ")", "\n", "-- c\n", "/* 's */", `"Id"`, "a.b ", "$1 ", "1.5 ", "= ", "; ", "e ", "u&", "\\", "::jsonb ", "é ",
	"'s3cr3t' ", "'s3cr3t''s3cr3t' ", "E's3cr3t\\' s3cr3t' ", "$$s3cr3t$$ ", "$a$s3cr3t $$ s3cr3t$a$ ", "'s3cr3t\\' ", "U&'s3cr3t' ", "N's3cr3t' ",
	"/* s3cr3t /* s3cr3t */ s3cr3t */ ", "-- s3cr3t '\n", "'s3cr3t'\n's3cr3t' ", "'s3cr3t' -- s3cr3t\n's3cr3t' ", `'s3cr3t"s3cr3t' `,
}

// FuzzFingerprint: of a statement made of any pieces, cut anywhere, nothing of a constant or
// comment is in the fingerprint; and any text gives one that is short, printable and without quotes
// of a constant.
func FuzzFingerprint(f *testing.F) {
	f.Add([]byte{0, 19, 2, 21, 2, 23, 30, 20}, "select 'a\\' b' c", uint16(500))
	f.Add([]byte{0, 24, 2, 19, 15, 25, 14, 19}, `"'x"y'`, uint16(40))
	f.Add([]byte{11, 22, 10, 22, 9, 23, 12, 27}, "$a$ 'b $a", uint16(70))
	f.Fuzz(func(t *testing.T, picks []byte, raw string, cut uint16) {
		var sql strings.Builder
		for _, p := range picks {
			sql.WriteString(pieces[int(p)%len(pieces)])
		}
		text := sql.String()
		text = text[:min(len(text), int(cut))]
		if got := Fingerprint(text); strings.Contains(got, secret[:3]) {
			t.Fatalf("%q: %q", text, got)
		}
		got := Fingerprint(raw)
		if len(got) > maxFingerprint || !utf8.ValidString(got) || strings.ContainsAny(got, "'\n\x00\x1b") {
			t.Fatalf("%q: %q", raw, got)
		}
	})
}
