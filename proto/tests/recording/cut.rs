//! A recording that ends anywhere.

use pollscope_proto::recording::{Ending, OpenError};

use super::{messages, open, record, said};

#[test]
fn cut_at_every_byte_it_opens_up_to_its_last_whole_chunk() {
    let (_, told) = said(4);
    let file = record(&told);
    let all = open(&file).unwrap();
    let chunks = all.chunks();
    let (mut most, mut refused) = (0, 0);
    for length in 0..file.len() {
        match open(&file[..length]) {
            Ok(mut recording) => {
                let read = messages(&mut recording);
                assert_eq!(recording.damaged(), 0, "cut at {length}: only whole chunks are read");
                assert_eq!(read[..], told[..read.len()], "cut at {length}");
                assert!(read.len() >= most, "cut at {length}: less than with fewer bytes");
                most = read.len();
                if let Ending::Cut { whole_bytes, lost_bytes } = recording.ending() {
                    assert_eq!(whole_bytes + lost_bytes, length as u64);
                } else {
                    assert_eq!(most, told.len(), "cut at {length}: finished without everything");
                }
            }
            Err(OpenError::NotMcap) => assert!(length < 8, "cut at {length}"),
            Err(OpenError::Empty(_)) => refused = length,
            Err(error) => panic!("cut at {length}: {error}"),
        }
    }
    assert!(refused > 8 && most == told.len(), "{refused} {most}");
    assert!(chunks > 3, "{chunks} chunks are too few to tell anything");
}
