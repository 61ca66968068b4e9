package guard

import "github.com/jackc/pgx/v5/pgproto3"

// The messages of a client, in few words.

func parse(name, sql string, types ...uint32) *pgproto3.Parse {
	return &pgproto3.Parse{Name: name, Query: sql, ParameterOIDs: types}
}

// bind binds text arguments and asks for text results.
func bind(portal, statement string, args ...string) *pgproto3.Bind {
	m := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement}
	for _, a := range args {
		m.Parameters = append(m.Parameters, []byte(a))
	}
	return m
}

// bindBinary binds binary arguments and asks for binary results.
func bindBinary(statement string, args ...[]byte) *pgproto3.Bind {
	return &pgproto3.Bind{PreparedStatement: statement, Parameters: args,
		ParameterFormatCodes: []int16{1}, ResultFormatCodes: []int16{1}}
}

func describe(statement string) *pgproto3.Describe {
	return &pgproto3.Describe{ObjectType: 'S', Name: statement}
}

func describePortal(name string) *pgproto3.Describe {
	return &pgproto3.Describe{ObjectType: 'P', Name: name}
}

// execute runs a portal; rows 0 is all.
func execute(portal string, rows uint32) *pgproto3.Execute {
	return &pgproto3.Execute{Portal: portal, MaxRows: rows}
}

func closeStatement(name string) *pgproto3.Close { return &pgproto3.Close{ObjectType: 'S', Name: name} }

func closePortal(name string) *pgproto3.Close { return &pgproto3.Close{ObjectType: 'P', Name: name} }

func query(sql string) *pgproto3.Query { return &pgproto3.Query{String: sql} }

func copyData(text string) *pgproto3.CopyData { return &pgproto3.CopyData{Data: []byte(text)} }

// Messages without a body.
var (
	syncs    = &pgproto3.Sync{}
	flush    = &pgproto3.Flush{}
	copyDone = &pgproto3.CopyDone{}
	copyFail = &pgproto3.CopyFail{Message: "the client gives up"}
)

// using binds and executes a statement, in a batch of its own.
func using(statement string, args ...string) []pgproto3.FrontendMessage {
	return []pgproto3.FrontendMessage{bind("", statement, args...), execute("", 0), syncs}
}
