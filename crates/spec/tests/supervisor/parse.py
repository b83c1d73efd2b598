"""Parses each file that is named on standard input with supervisord's own options code; prints a table of each as JSON."""
import io
import json
import sys
import warnings

from supervisor import datatypes, options

LEVELS = {50: "critical", 40: "error", 30: "warn", 20: "info", 10: "debug", 5: "trace", 3: "blather"}


def logfile(value):
    return "auto" if value is datatypes.Automatic else value


def autorestart(value):
    names = {datatypes.RestartUnconditionally: "true", datatypes.RestartWhenExitUnexpected: "unexpected"}
    return names.get(value, "false")


def process(config):
    row = {
        name: getattr(config, name)
        for name in (
            "name command directory umask priority autostart startsecs startretries uid stopwaitsecs stopasgroup "
            "killasgroup exitcodes redirect_stderr environment serverurl stdout_capture_maxbytes "
            "stdout_events_enabled stdout_logfile_backups stdout_logfile_maxbytes stdout_syslog "
            "stderr_capture_maxbytes stderr_events_enabled stderr_logfile_backups stderr_logfile_maxbytes "
            "stderr_syslog"
        ).split()
    }
    row["autorestart"] = autorestart(config.autorestart)
    row["stopsignal"] = int(config.stopsignal)
    row["stdout_logfile"] = logfile(config.stdout_logfile)
    row["stderr_logfile"] = logfile(config.stderr_logfile)
    return row


def event_names(types):
    from supervisor.events import EventTypes

    names = {value: key for key, value in vars(EventTypes).items() if not key.startswith("_")}
    return sorted(names[kind] for kind in types)


def group(config):
    row = {
        "name": config.name,
        "priority": config.priority,
        "processes": sorted((process(one) for one in config.process_configs), key=lambda one: (one["name"], one["command"])),
        "listener": None,
        "socket": None,
    }
    if isinstance(config, options.EventListenerPoolConfig):
        row["listener"] = {"buffer_size": config.buffer_size, "events": event_names(config.pool_events)}
    if isinstance(config, options.FastCGIGroupConfig):
        socket = config.socket_config
        row["socket"] = {
            "url": socket.url,
            "backlog": socket.backlog,
            "owner": getattr(socket, "owner", None),
            "mode": getattr(socket, "mode", None),
        }
    return row


def server(config):
    unix = "file" in config
    row = {name: config[name] for name in ("section", "username", "password")}
    if unix:
        row.update(file=config["file"], chmod=config["chmod"], chown=list(config["chown"]))
    else:
        row.update(host=config["host"], port=config["port"])
    return row


def parse(path):
    found = options.ServerOptions()
    found.stderr = io.StringIO()
    try:
        found.realize(["-c", path], doc="")
    except SystemExit:
        return {"error": found.stderr.getvalue()}
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}
    groups = [group(config) for config in found.process_group_configs if config.process_configs]
    names = (
        "logfile logfile_maxbytes logfile_backups pidfile umask minfds minprocs childlogdir user directory identifier"
    ).split()
    daemon = {name: getattr(found, name) for name in names}
    for name in ("nodaemon", "silent", "nocleanup", "strip_ansi"):
        daemon[name] = bool(getattr(found, name))
    daemon["loglevel"] = LEVELS[found.loglevel]
    daemon["environment"] = found.configroot.supervisord.environment
    daemon["servers"] = [server(config) for config in found.server_configs]
    daemon["serverurl"] = found.serverurl
    return {"groups": groups, "daemon": daemon}


warnings.simplefilter("ignore")
json.dump([parse(path) for path in json.load(sys.stdin)], sys.stdout)
