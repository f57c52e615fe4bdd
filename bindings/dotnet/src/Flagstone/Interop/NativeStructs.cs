// The value structs of include/flagstone.h, member for member. A test compares their layout with the one recorded for the ABI.
using System;
using System.Runtime.InteropServices;

namespace Flagstone.Interop;

/// <summary><c>flagstone_str</c>: borrowed text.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeText(byte* ptr, nuint len)
{
    internal byte* ptr = ptr;
    internal nuint len = len;

    /// <summary>The bytes, as long as they are lent.</summary>
    internal readonly ReadOnlySpan<byte> AsSpan() => new(ptr, checked((int)len));

    /// <summary>A copy.</summary>
    public override readonly string ToString() => len == 0 ? string.Empty : Utf8.ToString(ptr, len);
}

/// <summary><c>flagstone_bytes</c>: text that is given back with <c>flagstone_bytes_clear</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeBytes
{
    internal byte* ptr;
    internal nuint len;
    internal IntPtr owner;
}

/// <summary><c>flagstone_attr</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeAttribute
{
    internal NativeText name;
    internal int type;
    internal uint flags;
    internal double number;
    internal NativeText text;
}

/// <summary><c>flagstone_default</c>: a caller's default, borrowed for one call. Zeroed memory is null.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeDefault
{
    internal int value_type;
    internal int is_integer;
    internal long integer;
    internal double number;
    internal NativeText text;
}

/// <summary><c>flagstone_detail</c>: made by <see cref="New"/>, given back with <c>flagstone_detail_clear</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeDetail
{
    internal uint struct_size;
    internal int value_type;
    internal int reason;
    internal int error_kind;
    internal int variation_index;
    internal int rule_index;
    internal uint flags;
    internal int big_segments_status;
    internal double number_value;
    internal NativeText text;
    internal NativeText rule_id;
    internal NativeText prerequisite_key;
    internal IntPtr owner;

    internal static NativeDetail New() => new() { struct_size = (uint)sizeof(NativeDetail) };
}

/// <summary><c>flagstone_big_segment_store</c>: made by <see cref="New"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeBigSegmentStore
{
    internal uint struct_size;
    internal uint reserved;
    internal IntPtr user_data;
    internal IntPtr membership;
    internal IntPtr metadata;
    internal IntPtr drop;

    internal static NativeBigSegmentStore New() => new() { struct_size = (uint)sizeof(NativeBigSegmentStore) };
}

/// <summary><c>flagstone_big_segment_status</c>: made by <see cref="New"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeBigSegmentStatus
{
    internal uint struct_size;
    internal int available;
    internal int stale;
    internal int reserved;
    internal long last_sync_ms;

    internal static NativeBigSegmentStatus New() => new() { struct_size = (uint)sizeof(NativeBigSegmentStatus) };
}

/// <summary><c>flagstone_notification</c>: made by <see cref="New"/>, given back with <c>flagstone_notification_clear</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeNotification
{
    internal uint struct_size;
    internal int kind;
    internal int level_or_state;
    internal uint dropped;
    internal long unix_ms;
    internal NativeText text;
    internal NativeText extra;
    internal IntPtr owner;

    internal static NativeNotification New() => new() { struct_size = (uint)sizeof(NativeNotification) };
}

/// <summary>
/// <c>flagstone_client_status_info</c>: made by <see cref="New"/>, given back with <c>flagstone_client_status_info_clear</c>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeClientStatus
{
    internal uint struct_size;
    internal int source_state;
    internal long source_since_ms;
    internal int last_error_kind;
    internal int last_error_status;
    internal long last_error_ms;
    internal NativeText last_error;
    internal int store_available;
    internal int reserved;
    internal long store_stale_since_ms;
    internal IntPtr owner;

    internal static NativeClientStatus New() => new() { struct_size = (uint)sizeof(NativeClientStatus) };
}
