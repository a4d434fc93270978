package station

import (
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Cost is what a transaction costs so far, or in all, to be shown to the driver (I02, I03).
type Cost struct {
	EVSE     int
	Tx       string
	Total    float64
	Currency string // TariffCostCtrlr.Currency
	Final    bool
}

// Personal is a message for the driver at an EVSE: a tariff, for instance (I01, I06). It takes the place of the one before; without
// content there is none any more.
type Personal struct {
	EVSE    int
	Message v201.MessageContent
}

func (Cost) effect()     {}
func (Personal) effect() {}

// fallback shows the driver the text of a variable of TariffCostCtrlr, which may be empty.
func (s *Station) fallback(e *evse, variable string) {
	if s.cfg.Display {
		s.emit(Personal{EVSE: e.n, Message: v201.MessageContent{Format: v201.MessageFormatUTF8, Content: s.model.value("TariffCostCtrlr", variable)}})
	}
}

// unpriced tells the driver of a transaction that ended while the CSMS was away that the cost comes later (I05.FR.02).
func (s *Station) unpriced(e *evse) {
	if !s.Accepted() && s.model.value("TariffCostCtrlr", "TotalCostFallbackMessage") != "" {
		s.fallback(e, "TotalCostFallbackMessage")
	}
}

func costUpdated(s *Station, q *v201.CostUpdatedRequest) (rpc.Message, error) {
	for _, e := range s.evses {
		if e.tx != nil && e.tx.ID == q.TransactionId { // I02.FR.03
			s.emit(Cost{EVSE: e.n, Tx: e.tx.ID, Total: q.TotalCost, Currency: s.model.value("TariffCostCtrlr", "Currency")})
		}
	}
	s.note(false, "transaction %s costs %.2f so far", q.TransactionId, q.TotalCost)
	return &v201.CostUpdatedResponse{}, nil
}

// priced passes on what the answer to a transaction event says about money.
func (s *Station) priced(it txqueue.Item, res *v201.TransactionEventResponse) {
	for _, e := range s.evses {
		running := e.tx != nil && e.tx.ID == it.Tx
		if !running && e.lastTx != it.Tx {
			continue
		}
		if res.TotalCost != nil && (running || it.Kind == txqueue.End) { // I02.FR.04, I03.FR.03
			s.emit(Cost{EVSE: e.n, Tx: it.Tx, Total: *res.TotalCost, Currency: s.model.value("TariffCostCtrlr", "Currency"), Final: it.Kind == txqueue.End})
		}
		if res.UpdatedPersonalMessage != nil && running { // I06.FR.03
			s.emit(Personal{EVSE: e.n, Message: *res.UpdatedPersonalMessage})
		}
		return
	}
}
