package secc

// Identifiers of services (ISO 15118-2, table 105).
const (
	ServiceCharge      uint16 = 1
	ServiceCertificate uint16 = 2
	ServiceInternet    uint16 = 3
	ServiceUseCase     uint16 = 4
)

// Service is something that an EVSE offers beside charging.
type Service struct {
	ID    uint16
	Name  string // at most 32 characters
	Scope string // at most 64 characters
	Paid  bool
	Sets  []ServiceSet
}

// ServiceSet is one way in which a service can be had.
type ServiceSet struct {
	ID     int16
	Values []ServiceValue
}

// ServiceValue is a parameter: a text, or a whole number when Text is empty.
type ServiceValue struct {
	Name   string
	Text   string
	Number int32
}

// Internet is the service of internet access with the given protocols, of ftp, http and https (ISO 15118-2, table 107). The
// route itself is the gateway's business.
func Internet(protocols ...string) Service {
	s := Service{ID: ServiceInternet, Name: "InternetAccess"}
	for _, known := range []struct {
		name string
		set  int16
		port int32
	}{{"ftp", 1, 20}, {"ftp", 2, 21}, {"http", 3, 80}, {"https", 4, 443}} {
		for _, p := range protocols {
			if p == known.name {
				s.Sets = append(s.Sets, ServiceSet{known.set, []ServiceValue{{Name: "Protocol", Text: known.name}, {Name: "Port", Number: known.port}}})
			}
		}
	}
	return s
}
