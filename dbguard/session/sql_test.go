package session

import (
	"strings"
	"testing"
)

func TestReadSQL(t *testing.T) {
	long := "select '" + strings.Repeat("x", maxRead) + "'"
	tests := map[string]sqlFacts{
		"":                                           {},
		" ;; -- no\n /* a /* b */ */":                {},
		"select 1":                                   {statements: 1},
		"select 1; select 2":                         {statements: 2},
		"DEALLOCATE Abc":                             {statements: 1, verb: verbDeallocate, name: "abc"},
		"deallocate prepare \"A\"\"b\" ; ":           {statements: 1, verb: verbDeallocate, name: `A"b`},
		"deallocate prepare":                         {statements: 1, verb: verbDeallocate, name: "prepare"},
		"deallocate prepare all":                     {statements: 1, verb: verbDeallocateAll},
		"/**/deallocate--x\nALL;":                    {statements: 1, verb: verbDeallocateAll},
		`deallocate "all"`:                           {statements: 1, verb: verbDeallocate, name: "all"},
		"deallocate all please":                      {statements: 1},
		"deallocate 'x'":                             {statements: 1},
		"select 1; deallocate all":                   {statements: 2, verb: verbDeallocateAll},
		"discard all":                                {statements: 1, verb: verbDiscardAll},
		"discard plans":                              {statements: 1},
		"execute s1(1, 2)":                           {statements: 1, verb: verbExecute, name: "s1", unfixed: true},
		"fetch 2 from c":                             {statements: 1, unfixed: true},
		"select 1 fetch first row only":              {statements: 1},
		"explain (analyze) execute s1":               {statements: 1, verb: verbExecute, name: "s1"},
		"create table x as execute s1":               {statements: 1, verb: verbExecute, name: "s1"},
		"grant execute on function f() to x":         {statements: 1},
		"select 'x; deallocate all'":                 {statements: 1},
		`select E'\'; deallocate all'`:               {statements: 1},
		"select E'a'\n '\\'; deallocate all'":        {statements: 1},
		`select '\'; deallocate all`:                 {statements: 2, verb: verbDeallocateAll},
		"select $a$ ; $b$ ; $a$, $1":                 {statements: 1},
		"select a$b$c; begin":                        {statements: 2, block: 'T'},
		`select ";"`:                                 {statements: 1},
		`select U&";", u&';', x';'`:                  {statements: 1},
		"select 'unended ; begin":                    {statements: 1},
		"select $$ unended ; begin":                  {statements: 1},
		"select /* unended ; begin":                  {statements: 1},
		"begin":                                      {statements: 1, block: 'T'},
		"START TRANSACTION":                          {statements: 1, block: 'T'},
		"copy t (a) from stdin csv":                  {statements: 1, copies: true, copiesIn: true},
		"copy t to stdout":                           {statements: 1, copies: true},
		"deallocate a; deallocate all":               {statements: 2, verb: verbDeallocateAll},
		"commit and no chain":                        {statements: 1, block: 'I'},
		"rollback and chain":                         {statements: 1},
		"rollback to savepoint x":                    {statements: 1},
		"begin; end":                                 {statements: 2, block: 'I'},
		"listen x":                                   {statements: 1, features: featureListen},
		"unlisten *":                                 {statements: 1},
		"set statement_timeout = 1":                  {statements: 1, features: featureSet},
		"set session work_mem to 1":                  {statements: 1, features: featureSet},
		"set local work_mem to 1":                    {statements: 1},
		"set transaction read only":                  {statements: 1},
		"set time zone 'UTC'":                        {statements: 1},
		"update t set x = 1":                         {statements: 1},
		"select set_config('a', f(1,2), false)":      {statements: 1, features: featureSet},
		"select set_config('a', 'b', true)":          {statements: 1},
		"select pg_advisory_lock(1)":                 {statements: 1, features: featureAdvisoryLock},
		"select pg_advisory_xact_lock(1)":            {statements: 1},
		"select pg_catalog.pg_try_advisory_lock (1)": {statements: 1, features: featureAdvisoryLock},
		"create temp table x()":                      {statements: 1, features: featureTempTable},
		"create local temporary view x as select 1":  {statements: 1, features: featureTempTable},
		"create temp table x() on commit drop":       {statements: 1},
		"select 1 into temp x":                       {statements: 1, features: featureTempTable},
		"create table temp()":                        {statements: 1},
		"prepare x as select 1":                      {statements: 1, features: featurePrepare},
		"prepare transaction 'x'":                    {statements: 1},
		"declare c cursor with hold for select 1":    {statements: 1, features: featureHoldCursor},
		"declare c cursor without hold for select 1": {statements: 1},
		long: {statements: 2, block: 'T', copies: true, copiesIn: true},
	}
	for text, want := range tests {
		if got := readSQL(text); got != want {
			t.Errorf("readSQL(%.60q) = %+v, want %+v", text, got, want)
		}
	}
}

func TestIdentIsCutAsTheServerDoes(t *testing.T) {
	name := strings.Repeat("é", 40)
	if got := readSQL("deallocate " + name).name; got != strings.Repeat("é", 31) {
		t.Errorf("name = %q (%d bytes), want 62 bytes", got, len(got))
	}
}

func FuzzReadSQL(f *testing.F) {
	for _, s := range []string{"select $a$b$a$", "e'\\'", "/*/**/", "u&\"", "deallocate prepare x;", "a$", "$", "'\n'", "set_config(((,,false"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := readSQL(s); got.statements < 0 || got.statements > 2 {
			t.Errorf("statements = %d", got.statements)
		}
	})
}
