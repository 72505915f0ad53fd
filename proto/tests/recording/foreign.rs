//! Readers that are not ours: the reference reader of MCAP, and protobuf by the descriptor alone.

use std::collections::BTreeMap;

use mcap::{MessageStream, Summary};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};

use super::{record, said};

#[test]
fn the_reference_reader_reads_every_message_and_the_index() {
    let (_, told) = said(3);
    let file = record(&told);
    let summary = Summary::read(&file).unwrap().expect("a summary");
    let stats = summary.stats.expect("statistics");
    assert_eq!((stats.message_count, stats.channel_count), (told.len() as u64, 3));
    assert_eq!(summary.chunk_indexes.len() as u32, stats.chunk_count);
    let topics: Vec<String> =
        MessageStream::new(&file).unwrap().map(|message| message.unwrap().channel.topic.clone()).collect();
    assert_eq!(topics, ["hello", "report", "report", "report", "goodbye"]);
}

/// Values of a message by the names that only the descriptor knows: numbers and texts of the top level.
fn decoded(message: &DescriptorProto, mut bytes: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let key = prost::encoding::decode_varint(&mut bytes).unwrap();
        let field =
            message.field.iter().find(|field| field.number() as u64 == key >> 3).expect("a known field");
        let value = match key & 7 {
            0 => prost::encoding::decode_varint(&mut bytes).unwrap().to_string(),
            1 => bytes.split_off(..8).map(|eight| format!("{eight:?}")).unwrap(),
            2 => {
                let length = prost::encoding::decode_varint(&mut bytes).unwrap() as usize;
                let inner = bytes.split_off(..length).unwrap();
                match field.r#type() {
                    Type::String => String::from_utf8(inner.to_vec()).unwrap(),
                    Type::Message => field.type_name().to_owned(),
                    Type::Bytes => format!("{inner:?}"),
                    _ => {
                        assert_eq!(field.label(), Label::Repeated, "{}: packed", field.name());
                        format!("{} bytes", inner.len())
                    }
                }
            }
            wire => panic!("wire type {wire} of {}", field.name()),
        };
        fields.insert(field.name().to_owned(), value);
    }
    fields
}

#[test]
fn the_descriptor_inside_tells_what_the_bytes_mean() {
    let (_, told) = said(2);
    let file = record(&told);
    let mut seen = Vec::new();
    for message in MessageStream::new(&file).unwrap() {
        let message = message.unwrap();
        let schema = message.channel.schema.as_ref().expect("a schema");
        assert_eq!(
            (schema.encoding.as_str(), message.channel.message_encoding.as_str()),
            ("protobuf", "protobuf")
        );
        let set = FileDescriptorSet::decode(&*schema.data).unwrap();
        let name = schema.name.strip_prefix("pollscope.v1.").expect("our package");
        let known =
            set.file.iter().flat_map(|file| &file.message_type).find(|message| message.name() == name);
        let fields = decoded(known.expect("a described message"), &message.data);
        seen.push(match name {
            "Hello" => fields["version"].clone(),
            "Report" => fields["seq"].clone(),
            _ => fields["reason"].clone(),
        });
    }
    assert_eq!(seen, ["0.1.0", "1", "2", "the service stopped pollscope"]);
}
