package configs

// Site is a whole site file.
type Site struct {
	Site     Info          `yaml:"site" doc:"What the site is."`
	Nodes    []Node        `yaml:"nodes" doc:"The tree of fuses and limits. One node has no parent: the grid connection."`
	Buses    []Bus         `yaml:"buses,omitempty" doc:"Modbus lines and connections that meters hang on."`
	Meters   []Meter       `yaml:"meters,omitempty" doc:"Meters of nodes."`
	EVSEs    []EVSE        `yaml:"evses,omitempty" doc:"The site's own EVSEs."`
	Stations *Stations     `yaml:"stations,omitempty" doc:"Third-party charging stations that connect to the local controller."`
	CSMS     *CSMS         `yaml:"csms,omitempty" doc:"The operator's charging station management system."`
	Firmware *Firmware     `yaml:"firmware,omitempty" doc:"Updates of this controller, and of stations through it, by the CSMS."`
	MQTT     *MQTT         `yaml:"mqtt,omitempty" doc:"The building's message broker."`
	Inputs   []Input       `yaml:"inputs,omitempty" doc:"Digital inputs of the controller."`
	Tariff   *Tariff       `yaml:"tariff,omitempty" doc:"What energy and power cost; absent: the same at all times."`
	Plan     Plan          `yaml:"plan,omitempty" doc:"How the site plans ahead."`
	Response *Response     `yaml:"response,omitempty" doc:"How the site serves the grid with its vehicles."`
	Limits   []LimitSource `yaml:"limits,omitempty" doc:"Who may limit the site from outside. Without this list: dso, bems and operator, without failsafe."`
	Storage  Storage       `yaml:"storage,omitempty" doc:"Where the site keeps what must survive a power cut."`
	HTTP     HTTP          `yaml:"http,omitempty" doc:"The API, the page and the metrics."`
	Log      Log           `yaml:"log,omitempty" doc:"What is logged, and how."`
}

// Info names the site.
type Info struct {
	ID       string  `yaml:"id" doc:"Identifies the site in MQTT topics and logs: letters, digits, - and _."`
	TimeZone string  `yaml:"time_zone,omitempty" doc:"IANA name, for schedules. Default UTC."`
	VoltageV float64 `yaml:"voltage_v,omitempty" doc:"Nominal voltage, phase to neutral, V. Default 230."`
	Phases   int     `yaml:"phases,omitempty" doc:"1 or 3. Default 3."`
}

// Node is a fuse, a contract, a meter, or just a name for what hangs beneath it.
type Node struct {
	ID          string     `yaml:"id" doc:"Unique name."`
	Parent      string     `yaml:"parent,omitempty" doc:"The node above; absent for the grid connection."`
	FuseA       *PhaseAmps `yaml:"fuse_a,omitempty" doc:"Fuse, A per phase: one number, or three for L1, L2, L3."`
	MaxImportW  *float64   `yaml:"max_import_w,omitempty" doc:"Largest import, W. 0 is a limit."`
	MaxExportW  *float64   `yaml:"max_export_w,omitempty" doc:"Largest export, W, as a positive number. 0 is a limit."`
	ContractW   *float64   `yaml:"contract_w,omitempty" doc:"Largest average over a quarter of an hour, W."`
	ImbalanceA  *float64   `yaml:"imbalance_a,omitempty" doc:"Largest difference between two phases, A."`
	ReactS      float64    `yaml:"react_s,omitempty" doc:"How long limits may be exceeded after an outside change, s. Default 1 for fuses, 5 for power."`
	Kind        string     `yaml:"kind,omitempty" doc:"What hangs on it besides EVSEs: load, pv or battery. Default load. What pv and battery deliver counts by their own meter." enum:"load,pv,battery"`
	Meter       string     `yaml:"meter,omitempty" doc:"The meter that measures everything through this node."`
	BackgroundA *PhaseAmps `yaml:"background_a,omitempty" doc:"Unmanaged load, A per phase: the worst case while the meter is silent, or always where there is none."`
}

// EVSE is one outlet that the site drives itself.
type EVSE struct {
	ID       string   `yaml:"id" doc:"Unique name: letters, digits, - and _."`
	Node     string   `yaml:"node" doc:"The node it hangs on."`
	Type     string   `yaml:"type" doc:"Alternating or direct current at the outlet." enum:"ac,dc"`
	Phases   int      `yaml:"phases,omitempty" doc:"1 or 3. Default 3."`
	Rotation string   `yaml:"rotation,omitempty" doc:"How its phases are wired: RST is straight, STR has its L1 on the grid's L2." enum:"RST,STR,TRS,RTS,SRT,TSR"`
	MaxA     float64  `yaml:"max_a,omitempty" doc:"AC: largest current, A per phase."`
	MaxW     float64  `yaml:"max_w,omitempty" doc:"DC: largest power drawn from the grid, W."`
	ExportA  float64  `yaml:"export_a,omitempty" doc:"AC: largest current that vehicles may give back, A per phase. Default 0: none."`
	ExportW  float64  `yaml:"export_w,omitempty" doc:"DC: largest power that vehicles may give back, W. Default 0: none."`
	FloorA   *float64 `yaml:"floor_a,omitempty" doc:"AC: what it may keep when the balancer is silent, A per phase. 0 or at least 6. Default 0."`
	FloorW   *float64 `yaml:"floor_w,omitempty" doc:"DC: what it may keep when the balancer is silent, W. Default 0."`
	Weight   float64  `yaml:"weight,omitempty" doc:"Share against others when power is short. Default 1."`
	Priority int      `yaml:"priority,omitempty" doc:"Who is served when not all can be; higher first."`
	Auth     string   `yaml:"auth,omitempty" doc:"free: anyone charges. rfid: a card first. remote: the CSMS starts it. Default free." enum:"free,rfid,remote"`
	HAL      string   `yaml:"hal" doc:"Driver of its hardware." enum:"sim"`
	Cable    string   `yaml:"cable,omitempty" doc:"attached: its cable is fixed. socket: drivers bring theirs; the plug is locked in the socket while energy may flow. Default attached." enum:"attached,socket"`
	Display  bool     `yaml:"display,omitempty" doc:"It has a display for drivers, which shows the CSMS's messages and what charging costs. Default false."`
	Signs    string   `yaml:"signs,omitempty" doc:"Of a simulated EVSE. ocmf: its meter signs readings, as meters under calibration law do. Default none." enum:"ocmf"`
	Port     *Port    `yaml:"port,omitempty" doc:"Communication with the vehicle by ISO 15118; absent: pilot duty cycle only."`
	Station  string   `yaml:"station,omitempty" doc:"OCPP identity under which the CSMS sees it. EVSEs with the same identity are EVSEs of one station. Default the site id, a dash and the EVSE id."`
}

// Port is the communication port of an EVSE.
type Port struct {
	Interface string `yaml:"interface" doc:"Network interface of the power-line modem, or lo."`
	SLAC      string `yaml:"slac,omitempty" doc:"off: the interface is plain Ethernet. Default off." enum:"off"`
	SDPPort   int    `yaml:"sdp_port,omitempty" doc:"UDP port of the SECC discovery protocol. Default 15118."`

	DIN      string        `yaml:"din,omitempty" doc:"on: DC vehicles may speak DIN 70121 too. Default on." enum:"on,off"`
	Internet []string      `yaml:"internet,omitempty" doc:"Internet access that vehicles are offered: ftp, http, https. The gateway has to route it. Default none."`
	PlanS    float64       `yaml:"plan_wait_s,omitempty" doc:"How long a vehicle that asks for a schedule waits for the plan of the site or the CSMS's schedule, s; a later one is negotiated anew. Up to 50. Default 0."`
	TLS      *PortTLS      `yaml:"tls,omitempty" doc:"TLS towards vehicles; absent: none."`
	Contract *PortContract `yaml:"contract,omitempty" doc:"Plug & Charge; it needs tls. Absent: external identification only."`
	Timing   PortTiming    `yaml:"timing,omitempty" doc:"Times of a session, where they shall not be the standard's."`
	Vehicle  string        `yaml:"vehicle,omitempty" doc:"Of a simulated EVSE. external: a vehicle's controller outside this process speaks, and the simulated cable follows it. Default none." enum:"external"`
}

// Stations says which third-party stations may connect, and how.
type Stations struct {
	Listen    string     `yaml:"listen,omitempty" doc:"Address for their websocket connections, host:port, without TLS (security profile 1): for trusted networks."`
	Listeners []Listener `yaml:"listeners,omitempty" doc:"More addresses for their connections, one security profile each."`
	Path      string     `yaml:"path,omitempty" doc:"URL path before the identity. Default /ocpp."`
	Accept    string     `yaml:"accept,omitempty" doc:"listed: only those of the list. any: others too, on this node with the fallback. Default listed." enum:"listed,any"`
	Node      string     `yaml:"node,omitempty" doc:"The node of stations that are not listed."`
	MaxOthers int        `yaml:"max_others,omitempty" doc:"How many stations that are not listed may connect; each has its fallback reserved. Default 4."`
	MaxA      float64    `yaml:"max_a,omitempty" doc:"Largest current of one that is not listed, A per phase. Default 32."`
	FallbackA float64    `yaml:"fallback_a,omitempty" doc:"What a station does by itself when it hears nothing, A per phase. Default 6."`
	Offline   string     `yaml:"offline,omitempty" doc:"When the CSMS is gone. answer: the controller answers and queues. close: the stations are disconnected. Default answer." enum:"answer,close"`
	AnswerS   float64    `yaml:"answer_s,omitempty" doc:"How long a station or the CSMS may take to answer a call, s. Default 30."`
	Bounds    Bounds     `yaml:"bounds,omitempty" doc:"What stations and strangers may cost."`
	List      []Station  `yaml:"list,omitempty" doc:"The stations that are known."`
}

// Bounds are what connections to the local controller may cost. What exceeds them counts in voltyard_bad_input_total.
type Bounds struct {
	FrameBytes    int `yaml:"frame_bytes,omitempty" doc:"Largest message; a longer one closes the connection with code 1009. Default 262144."`
	FramesPerS    int `yaml:"frames_per_s,omitempty" doc:"Messages of a station per second, with five seconds' worth at once; more are read later. Default 20."`
	Connections   int `yaml:"connections,omitempty" doc:"Open connections at each listener; more are closed at once. Default 500."`
	HandshakesPer int `yaml:"handshakes_per_s,omitempty" doc:"New connections of one address per second, with twenty seconds' worth at once; more are closed at once. Default 20."`
	QueueBytes    int `yaml:"queue_bytes,omitempty" doc:"Messages for the CSMS that wait on disk for each station: from this size on intermediate updates are dropped, from twice this on the station is told to keep what it has. Default 4194304."`
}

// Station is a third-party station that is known.
type Station struct {
	ID           string   `yaml:"id" doc:"OCPP identity."`
	Node         string   `yaml:"node" doc:"The node it hangs on."`
	Phases       int      `yaml:"phases,omitempty" doc:"1 or 3. Default 3."`
	Rotation     string   `yaml:"rotation,omitempty" doc:"How its phases are wired." enum:"RST,STR,TRS,RTS,SRT,TSR"`
	MaxA         float64  `yaml:"max_a" doc:"Largest current of the whole station, A per phase."`
	FallbackA    *float64 `yaml:"fallback_a,omitempty" doc:"What it does by itself when it hears nothing, A per phase."`
	Weight       float64  `yaml:"weight,omitempty" doc:"Share against others when power is short. Default 1."`
	Priority     int      `yaml:"priority,omitempty" doc:"Who is served when not all can be; higher first."`
	Levels       int      `yaml:"levels,omitempty" doc:"Stack levels it can hold, 1 or more. Default 2."`
	WholeA       bool     `yaml:"whole_a,omitempty" doc:"It takes whole amperes only. Default false."`
	LimitBy      string   `yaml:"limit_by,omitempty" doc:"station: it is limited as a whole. transaction: it honours limits of transactions only; each that runs gets an equal part. Default station." enum:"station,transaction"`
	EVSEs        int      `yaml:"evses,omitempty" doc:"With limit_by: transaction: how many EVSEs it has. Default 1."`
	PasswordFile string   `yaml:"password_file,omitempty" doc:"File with the password it must show (security profiles 1 and 2), or better the hash that voltyard pki password makes of it. Absent: it is passed on to the CSMS."`
}

// CSMS is the operator's cloud.
type CSMS struct {
	URL          string `yaml:"url" doc:"ws:// or wss:// address before the identity."`
	Identity     string `yaml:"identity,omitempty" doc:"The controller's own OCPP identity. Default the site id."`
	PasswordFile string `yaml:"password_file,omitempty" doc:"File with the password of the controller and its own stations."`
	CAFile       string `yaml:"ca_file,omitempty" doc:"Roots that the CSMS's certificate must chain to. Default those of the system."`
	CertFile     string `yaml:"cert_file,omitempty" doc:"Client certificate (security profile 3)."`
	KeyFile      string `yaml:"key_file,omitempty" doc:"Key of the client certificate."`

	KeyRing             string `yaml:"key_ring,omitempty" doc:"Where the private keys are whose certificates the CSMS renews: file:DIR, tpm:DEVICE?keys=DIR or pkcs11:MODULE?token=LABEL&pin-file=FILE; a relative DIR of file: counts from the site file. Default the folder keys in storage.dir."`
	AdditionalRootCheck bool   `yaml:"additional_root_check,omitempty" doc:"A new root for the CSMS's certificate must be signed by the one before. Default false."`
	LocalFiles          bool   `yaml:"local_files,omitempty" doc:"The CSMS may send this controller for firmware, and with logs, to servers on this machine itself and on links without a router (169.254.x.x, fe80::). Without it whoever holds the CSMS cannot reach the controller's own API that way. Default false."`
}

// MQTT is the building's broker.
type MQTT struct {
	URL          string `yaml:"url" doc:"tcp://host:port or ssl://host:port."`
	ClientID     string `yaml:"client_id,omitempty" doc:"Default voltyard- and the site id."`
	Username     string `yaml:"username,omitempty" doc:"User name at the broker."`
	PasswordFile string `yaml:"password_file,omitempty" doc:"File with the password at the broker."`
	CAFile       string `yaml:"ca_file,omitempty" doc:"Roots that the broker's certificate must chain to."`
	CertFile     string `yaml:"cert_file,omitempty" doc:"Client certificate."`
	KeyFile      string `yaml:"key_file,omitempty" doc:"Key of the client certificate."`
	// HomeAssistant is off by default: discovery writes outside voltyard/<site>.
	HomeAssistant string `yaml:"home_assistant,omitempty" doc:"Prefix under which Home Assistant discovers the site, such as homeassistant. Default: no discovery."`
}

// LimitSource may limit the site from outside.
type LimitSource struct {
	Source   string    `yaml:"source" doc:"Name in the topic limit/<source>/set."`
	Priority int       `yaml:"priority,omitempty" doc:"Only decides who is named when two are equally strict."`
	ReactS   float64   `yaml:"react_s,omitempty" doc:"How long the site may stay over a limit of this source after it came, s. Default 5."`
	SilenceS float64   `yaml:"silence_s,omitempty" doc:"The failsafe applies when the source says nothing for this long, s. Default never."`
	Failsafe *Failsafe `yaml:"failsafe,omitempty" doc:"What applies when a limit of this source expires without a new one, or its contacts cannot be read."`

	Node         string       `yaml:"node,omitempty" doc:"Where lpc, lpp, contacts and periods hold. Default the grid connection."`
	LPC          *EnergyGuard `yaml:"lpc,omitempty" doc:"The source is an energy guard with heartbeats (EEBUS LPC) and limits consumption."`
	LPP          *EnergyGuard `yaml:"lpp,omitempty" doc:"The source is an energy guard with heartbeats (EEBUS LPP) and limits production."`
	Contacts     []Contact    `yaml:"contacts,omitempty" doc:"The source is a receiver with contacts: ripple control, a relay of the grid operator. With lpc or lpp: they speak for the guard."`
	DebounceS    float64      `yaml:"debounce_s,omitempty" doc:"A contact counts when it has been steady for this long, s. Default 0.1."`
	StaleS       float64      `yaml:"stale_s,omitempty" doc:"The failsafe applies when the contacts cannot be read for this long, s. Default 5."`
	Periods      []Period     `yaml:"periods,omitempty" doc:"The source is a schedule of the site's own."`
	RandomDelayS float64      `yaml:"random_delay_s,omitempty" doc:"Each change by the schedule, and the first after a start, waits for a random time up to this, s; 600 in the UK (SI 2021/1467). Default none."`
}

// Failsafe is a limit for when a source is silent.
type Failsafe struct {
	Node     string     `yaml:"node,omitempty" doc:"Default the grid connection."`
	ImportW  *float64   `yaml:"import_w,omitempty" doc:"W"`
	ExportW  *float64   `yaml:"export_w,omitempty" doc:"W, as a positive number."`
	CurrentA *PhaseAmps `yaml:"current_a,omitempty" doc:"A per phase."`
}

// Storage is the data directory.
type Storage struct {
	Dir string `yaml:"dir,omitempty" doc:"Data directory; a relative one counts from the site file, as all files do. Default /var/lib/voltyard."`
}

// HTTP is the local web server.
type HTTP struct {
	Listen    string `yaml:"listen,omitempty" doc:"host:port. Default 127.0.0.1:8080. Empty host listens everywhere; then token_file is needed."`
	TokenFile string `yaml:"token_file,omitempty" doc:"File with the bearer token that all but loopback clients must show."`
}

// Log says what is logged.
type Log struct {
	Level  string `yaml:"level,omitempty" doc:"Default info." enum:"debug,info,warn,error"`
	Format string `yaml:"format,omitempty" doc:"json: one object a line. text: for people. Default json." enum:"json,text"`
}
