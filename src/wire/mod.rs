//! AMQP 0-9-1 as bytes: frames, methods, content headers, field tables and reply codes. Bytes come in and
//! typed values that borrow them go out, or the other way round. No sockets, no clock, no async.
//!
//! The method types, their parsers and encoders, the message properties, the reply codes and the frame
//! constants are generated from `grammar/amqp-0-9-1.toml`.

mod content;
mod error;
mod field;
mod frame;
mod generated;
mod method;
mod table;
mod value;

pub use content::ContentHeader;
pub use error::Scope;
pub use error::WireError;
pub use field::SHORTSTR_BYTES_MAX;
pub use frame::{
    FRAME_HEAD_BYTES, FRAME_OVERHEAD_BYTES, Frame, HEADER_PROPERTIES_AT, HeaderCheck,
    PROTOCOL_HEADER, begins_publish, body_frame, encode_body_head, encode_content,
    encode_content_header, encode_heartbeat, frame_bytes_needed, header_channel,
    largest_frame_bytes, next_frame, protocol_header,
};
pub use generated::constant::{
    FRAME_BODY, FRAME_BYTES_MIN, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD,
};
pub use generated::method::Method;
pub use generated::properties::{Properties, PropertiesView};
pub use generated::reply_code::ReplyCode;
pub use generated::{access, basic, channel, confirm, connection, exchange, queue, tx};
pub use method::Sender;
pub use table::{TABLE_DEPTH_MAX, Table};
pub use value::Value;
