//! Every bound of the API, by name.

use std::time::Duration;

/// The longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The longest path with its query, in bytes.
pub const MAX_TARGET_BYTES: usize = 64 * 1024;

/// All headers of a request together, in bytes: less than the server's buffer for them.
pub const MAX_HEADER_BYTES: usize = 384 * 1024;

/// The longest `Last-Event-ID` or `after`, in bytes: a position in each of 10,000 logs with names of a usual length.
pub const MAX_CURSOR_BYTES: usize = 320 * 1024;

/// The longest request id that is echoed, in bytes; a longer one is replaced.
pub const MAX_REQUEST_ID_BYTES: usize = 64;

/// The most names or patterns in one request.
pub const MAX_NAMES: usize = 1024;

/// The longest name or pattern, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The longest regular expression to search logs for, in bytes.
pub const MAX_GREP_BYTES: usize = 1024;

/// The most lines that `lines` may ask for.
pub const MAX_LINES: u32 = 10_000_000;

/// The highest count that `scale` may ask of one group.
pub use ganger_spec::MAX_COUNT;

/// The longest reply that a client accepts, in bytes.
pub const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// The longest item of a stream that a client accepts, in bytes.
pub const MAX_ITEM_BYTES: usize = 8 * 1024 * 1024;

/// The longest frame of a connection that shows a terminal, in bytes; a position may come on top.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// So many bytes that are typed may wait to be sent: more than anybody types before it is read.
pub const MAX_UNSENT_BYTES: usize = 4 * 1024 * 1024;

/// The most rows and the most columns of a terminal: more are taken for so many.
pub const MAX_TERMINAL_SIDE: u16 = 2000;

/// The longest path of a Unix socket, in bytes; the kernel's limit without its closing zero.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The part of an app's id that is taken from its directory's name, in bytes.
pub const MAX_ID_NAME_BYTES: usize = 40;

/// The longest `app.json` that is read, in bytes.
pub const MAX_APP_FILE_BYTES: u64 = 64 * 1024;

/// The most apps that a search for running apps looks at.
pub const MAX_APPS: usize = 1024;

/// How long a client waits for the head of a reply that changes nothing.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a client waits for a reply that comes after an effect: stopping may take as long as its timeout.
pub const EFFECT_TIMEOUT: Duration = Duration::from_mins(30);

/// How long a client waits for the next overseer of an app whose overseer has died: after many deaths in a row the keeper
/// waits 5 s itself, and a busy machine takes its time.
pub const OVERSEER_WAIT: Duration = Duration::from_secs(30);

/// How many overseers a client asks the same, one after another, where each dies over it.
pub const MAX_OVERSEERS_ASKED: usize = 5;

/// How long a client waits for the end of an overseer that broke a connection.
pub const DYING_WAIT: Duration = Duration::from_secs(2);

/// The longest XML-RPC call that a server reads, in bytes.
pub const MAX_XMLRPC_CALL_BYTES: usize = 8 * 1024 * 1024;

/// The most values in an XML-RPC call.
pub const MAX_XMLRPC_CALL_VALUES: usize = 100_000;

/// The longest XML-RPC answer that a client reads, in bytes: a whole log may be asked for.
pub const MAX_XMLRPC_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The most values in an XML-RPC answer: the configuration of 10,000 programs has a third of them.
pub const MAX_XMLRPC_ANSWER_VALUES: usize = 1_000_000;

/// The most arrays and structs in each other in an XML-RPC value.
pub const MAX_XMLRPC_DEPTH: usize = 64;

/// The most calls in one `system.multicall`.
pub const MAX_XMLRPC_MULTICALL: usize = 10_000;

/// How long a client of supervisord's interface waits for an answer: a start may take as long as its `startsecs`, a
/// stop as long as its `stopwaitsecs`.
pub const SUPERVISOR_TIMEOUT: Duration = Duration::from_hours(24);
/// The words of a line of Overmind's client, as many names as anybody types.
pub const MAX_OVERMIND_WORDS: usize = 1024;
/// The longest line of Overmind's client.
pub const MAX_OVERMIND_LINE: usize = 64 << 10;
