package session

// leave ends a session of a pooler. A pooler that loses its client between two transactions gives
// the server to the next client, with all that the session has of its own by then; one that loses it
// inside a transaction closes the server. (PgBouncer does: src/objects.c, disconnect_client.) A client
// that is gone in the middle of a statement or a transaction has left there what nobody may be given
// (an advisory lock, a temporary table, a search_path), so we go from inside a transaction:
//
//   - A BEGIN is sent behind the statement that runs, and then the cancel, so that the pooler keeps
//     the server for us; a BEGIN sent after the cancel may be given another one. Closing without the
//     cancel leaves the backend running, with its locks, and the pooler has forgotten the key.
//   - In a batch without a Sync no ReadyForQuery can come: it needs no BEGIN.
//   - An open transaction is rolled back, which the server confirms, and chained to a new one. A
//     server older than 12 knows no AND CHAIN; its syntax error ends the transaction as well.
//   - A session in a COPY is left as it is, without a cancel. PgBouncer up to 1.19 no longer counts
//     the BEGIN then (src/server.c: the end of a COPY sets expect_rfq_count to 0): it would give the
//     server away before the BEGIN. One that waits for data ends with the connection.
func (s *Session) leave(p progress) Finish {
	block := s.account.status != 'I'
	s.ending.block = s.ending.block || block && s.ending.begins == 0 || s.account.status == 'E'
	switch {
	case p.busy() && p.copied, p.copy == copiesIn:
		return Finish{Drop: true}
	case p.busy() && p.batch != noBatch:
		return Finish{Send: s.flush(), Cancel: s.cancel(p)}
	case p.busy():
		return Finish{Cancel: s.cancel(p), Send: s.begin()} // in this order: begin counts its own
	case p.batch != noBatch:
		return Finish{Drop: true}
	case !block:
		return Finish{Send: terminate, Done: true}
	case s.ending.block && s.ending.phase < rolledBack:
		return s.rollBack("ROLLBACK AND CHAIN")
	}
	return Finish{Drop: true}
}

// begin returns two BEGINs the first time: when a cancel comes late it hits one of them.
func (s *Session) begin() (send []byte) {
	if s.ending.begins > 0 || s.ending.phase == rolledBack {
		return nil
	}
	for s.ending.begins < 2 {
		s.mode.sent('Q', "BEGIN", s.now)
		send = appendQuery(send, "BEGIN")
		s.ending.begins++
	}
	return send
}
