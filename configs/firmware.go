package configs

import (
	"net"
	"net/url"
	"path/filepath"
)

// Firmware says how the CSMS may update this controller, and publish firmware for stations through it.
type Firmware struct {
	Dir      string   `yaml:"dir,omitempty" doc:"Folder for images, of this controller alone; a relative one counts from the site file. Default the folder firmware in storage.dir."`
	RootFile string   `yaml:"root_file,omitempty" doc:"Roots in PEM of the maker of this controller's firmware: what signs an image has to chain to one of them."`
	Hook     []string `yaml:"hook,omitempty" doc:"The installer: a program with arguments, called with a verb (install, activate, confirm, rollback) and the path of the image. Absent: UpdateFirmware is answered NotSupported."`
	HookS    float64  `yaml:"hook_s,omitempty" doc:"How long a call of the installer may take, s. Default 300."`
	ConfirmS float64  `yaml:"confirm_s,omitempty" doc:"Within which new firmware has to reach the CSMS with all EVSEs, s; else the old one is brought back. Default 600."`
	Starts   int      `yaml:"starts,omitempty" doc:"How often new firmware may start without being proven. Default 3."`
	Download string   `yaml:"download,omitempty" doc:"always: also while vehicles charge. idle: only while the station that is asked has no transaction. Default always." enum:"always,idle"`
	MaxMB    float64  `yaml:"max_mb,omitempty" doc:"Largest image, MB. Default 512."`
	CAFile   string   `yaml:"ca_file,omitempty" doc:"More roots of servers that offer files and take logs. Those of the system and of csms.ca_file count too."`
	Publish  *Publish `yaml:"publish,omitempty" doc:"Firmware of stations that the controller offers to them."`
}

// Publish says where stations download firmware from the controller.
type Publish struct {
	Listen string  `yaml:"listen" doc:"Address of the web server for stations, host:port."`
	URL    string  `yaml:"url" doc:"Its address as the stations reach it, such as http://192.0.2.1:9080."`
	MaxMB  float64 `yaml:"max_mb,omitempty" doc:"Room for all files together, MB. Default 1024."`
}

func (s *Site) completeFirmware(dir string) {
	f := s.Firmware
	if f == nil {
		return
	}
	resolve(dir, &f.Dir)
	def(&f.Dir, filepath.Join(s.Storage.Dir, "firmware"))
	def(&f.HookS, 300)
	def(&f.ConfirmS, 600)
	def(&f.Starts, 3)
	def(&f.Download, "always")
	def(&f.MaxMB, 512)
	if f.Publish != nil {
		def(&f.Publish.MaxMB, 1024)
	}
	resolve(dir, &f.RootFile, &f.CAFile)
}

func (c *checker) firmware(s *Site, file func(path, name string)) {
	f := s.Firmware
	if f == nil {
		return
	}
	file("$.firmware.root_file", f.RootFile)
	file("$.firmware.ca_file", f.CAFile)
	if s.CSMS == nil {
		c.add("$.firmware", "add csms:, or leave firmware out", "updates come from a CSMS")
	}
	if len(f.Hook) > 0 {
		if !filepath.IsAbs(f.Hook[0]) {
			c.add("$.firmware.hook", "give its absolute path", "%q is no program: nothing is searched for it", f.Hook[0])
		} else {
			file("$.firmware.hook", f.Hook[0])
		}
		if f.RootFile == "" {
			c.add("$.firmware", "give root_file", "without the maker's roots no image could be verified")
		}
	}
	p := f.Publish
	if p == nil {
		return
	}
	if _, _, err := net.SplitHostPort(p.Listen); err != nil {
		c.add("$.firmware.publish.listen", "write it as 0.0.0.0:9080", "%q is no address", p.Listen)
	}
	if u, err := url.Parse(p.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || len(p.URL) > 400 {
		c.add("$.firmware.publish.url", "write it as http://192.0.2.1:9080", "%q is no address of a web server", p.URL)
	}
}
